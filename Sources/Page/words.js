// Things in words: what the pointer's tip shows and what a screen reader hears.
import { byId, h } from './dom.js';
import { bitRate, kind, packetRate, percent } from './format.js';
import { busier, utilisation } from './level.js';

function subtitle(thing) {
    const a = thing.attributes;
    const parts = [thing.kind === 'interface' && a.device ? `${a.device} interface` : kind(thing.kind)];
    if (a.state && a.state !== 'up' && a.state !== 'forwarding' && a.state !== 'reachable') parts.push(a.state);
    if (a.address) parts.push(a.address);
    if (a.application) parts.push(a.application);
    if (a.vni) parts.push(`VNI ${a.vni}`);
    return parts.join(' · ');
}

export const describe = subtitle;

function loadWords(load) {
    if (!load) return null;
    const share = utilisation(load);
    const bits = `${bitRate(busier(load))}`;
    return share === null ? bits : `${bits}, ${percent(share)} of ${bitRate(load.capacityBitsPerSecond)}`;
}

export function speak(model, key) {
    const thing = model.get(key);
    if (!thing) return;
    const mark = model.mark(key);
    const words = [model.title(key), subtitle(thing), loadWords(thing.load), mark].filter(Boolean);
    byId('spoken').textContent = words.join(', ');
}

export function showTip(model, key, x, y, size) {
    const tip = byId('tip');
    const thing = key === null ? null : model.get(key);
    tip.hidden = !thing;
    if (!thing) return;
    const mark = model.mark(key);
    tip.replaceChildren(
        h('strong', {}, model.title(key)), h('span', { class: 'quiet' }, subtitle(thing)),
        thing.load ? h('span', {}, loadWords(thing.load)) : '',
        thing.load?.packetsPerSecond ? h('span', { class: 'quiet' }, packetRate(thing.load.packetsPerSecond)) : '',
        mark ? h('span', { class: `mark ${mark}` }, mark) : '');
    const right = x > size.width - 260;
    tip.style.left = right ? 'auto' : `${x + 14}px`;
    tip.style.right = right ? `${size.width - x + 14}px` : 'auto';
    tip.style.top = `${Math.max(6, Math.min(y + 14, size.height - 100))}px`;
}
