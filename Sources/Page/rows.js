// Rows of the panel: a thing to press, a link with its load, a change.
import { h, measured } from './dom.js';
import { attribute, bitRateParts, clock, kind, percent } from './format.js';
import { busier, colour, colourNames, utilisation } from './level.js';

export const quiet = (text, more = '') => h('span', { class: `quiet ${more}` }, text);
export const name = (...parts) => h('span', { class: 'name' }, ...parts);
export const sign = change => h('span', { class: `sign ${change}`, 'aria-hidden': 'true' });
export const list = rows => h('ul', { class: 'rows' }, ...rows);

/** A row that goes to a thing when pressed, and marks it on the map while it is pointed at. */
export function pressRow(map, key, ...children) {
    const [mark, unmark] = [() => map.highlight(key), () => map.highlight(null)];
    return h('li', {}, h('button', {
        type: 'button', class: 'row', onclick: () => map.reveal(key),
        onpointerenter: mark, onpointerleave: unmark, onfocus: mark, onblur: unmark,
    }, ...children));
}

export function linkRow(map, link, title) {
    const share = utilisation(link.load);
    const about = [kind(link.kind), link.attributes?.application].filter(Boolean).join(' · ');
    if (!link.load) return pressRow(map, link.key, name(title), h('span', {}), quiet(about));
    const meter = h('span', { class: 'meter' }, h('span', { class: `fill ${colourNames[colour(link.load)]}` }));
    // Without a capacity: where the load stands on the gauge.
    meter.firstChild.style.width = `${Math.min(100, 100 * (share ?? Math.log10(1 + busier(link.load)) / 11))}%`;
    return pressRow(
        map, link.key, name(title), measured(bitRateParts(busier(link.load))), quiet(about),
        quiet(share === null ? '' : percent(share), 'share'), meter);
}

export const changedWords = change =>
    change.attributes?.map(a => `${a.name} ${attribute(a.before)} → ${attribute(a.after)}`).join(', ') ?? '';

/** @param isCompared the change is a difference of two moments: when it happened is not known. */
export function changeRow(map, change, isCompared = false) {
    const words = changedWords(change);
    const told = isCompared ? words : `${kind(change.kind)} ${change.change}${words ? `: ${words}` : ''}`;
    return pressRow(
        map, change.key, name(sign(change.change), change.name), quiet(isCompared ? kind(change.kind) : clock(change.at)),
        told ? quiet(told, 'wide') : null);
}
