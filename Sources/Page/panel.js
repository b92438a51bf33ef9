// The panel beside the map: what is chosen, in full; the busiest links and latest changes while nothing is; or what a comparison found.
import { get, Latest } from './api.js';
import { ceiling, drawChart } from './chart.js';
import { byId, h, measured } from './dom.js';
import {
    attribute, bitRate, bitRateParts, clock, kind, microsecondParts, moment, packetRateParts, percent, span, stamp, when,
} from './format.js';
import { busier, colour, colourNames, utilisation } from './level.js';
import { onTheme } from './theme.js';
import { describe } from './words.js';

const feedLength = 40;

export class Panel {
    #place = byId('panel');
    #key = null;
    #comparison = null;
    #changes = [];
    #series = new Latest();
    #chart = null;
    #filled = null;

    constructor(model, map, timeline) {
        this.model = model;
        this.map = map;
        this.timeline = timeline;
        model.addEventListener('change', event => this.#modelChanged(event.detail));
        onTheme(() => this.#redraw());
        new ResizeObserver(() => this.#redraw()).observe(this.#place);
    }

    show(key) {
        this.#key = key;
        this.#fill();
    }

    compare(diff) {
        this.#comparison = diff;
        this.#fill();
    }

    setHistory(changes) {
        this.#changes = changes.slice(-feedLength).reverse();
        if (!this.#key && !this.#comparison) this.#fill();
    }

    happened(changes) {
        this.#changes = [...changes].reverse().concat(this.#changes).slice(0, feedLength);
        if (!this.#key && !this.#comparison) this.#fillChanges();
    }

    #modelChanged(what) {
        if (this.#key && !this.model.get(this.#key)) return;
        if (what === 'loads' && this.#place.contains(document.activeElement) && document.activeElement.matches('button, a')) return this.#updateLoads();
        if (what === 'loads') return this.#updateLoads(true);
        // Asking for its flows and history again is for when it is another than it was.
        if (this.#key && this.#signature(this.#key) === this.#filled?.signature) this.#updateLoads();
        else this.#fill();
    }

    #signature(key) {
        const thing = this.model.get(key);
        const links = [...this.model.links.values()].filter(link => link.from === key || link.to === key).length;
        return JSON.stringify([thing?.attributes, thing?.since, links, this.model.mark(key)]);
    }

    #fill() {
        this.#filled = null;
        this.#chart = null;
        this.#place.classList.toggle('chosen', Boolean(this.#key));
        const thing = this.#key && this.model.get(this.#key);
        if (thing) this.#fillThing(thing);
        else if (this.#comparison) this.#fillComparison();
        else this.#fillNow();
    }

    // MARK: nothing chosen

    #fillNow() {
        this.#filled = { busiest: h('ul', { class: 'rows' }), changes: h('ul', { class: 'rows' }) };
        this.#place.replaceChildren(
            h('h2', {}, 'Busiest links'), this.#filled.busiest, h('h2', {}, 'Latest changes'), this.#filled.changes);
        this.#updateLoads(true);
        this.#fillChanges();
    }

    #busiest() {
        const seen = this.map.scene?.links ?? [];
        const links = seen.map(drawn => drawn.link).filter(link => busier(link.load) > 0 && link.kind !== 'attachment' && link.kind !== 'port' && link.kind !== 'stack');
        const rank = link => (utilisation(link.load) ?? 0) * 1e10 + busier(link.load);
        return links.sort((a, b) => rank(b) - rank(a)).slice(0, 8);
    }

    #updateLoads(all = false) {
        if (this.#filled?.busiest && all) this.#filled.busiest.replaceChildren(...this.#busiest().map(link => this.#linkRow(link)));
        if (this.#filled?.load && this.#key) this.#filled.load.replaceChildren(...this.#loadLines(this.model.get(this.#key)));
    }

    #fillChanges() {
        if (!this.#filled?.changes) return;
        this.#filled.changes.replaceChildren(...this.#changes.slice(0, 14).map(change => this.#changeRow(change)));
        if (!this.#changes.length) this.#filled.changes.append(h('li', { class: 'quiet' }, 'Nothing changed in this window.'));
    }

    // MARK: rows

    #press(key, ...children) {
        return h('button', {
            type: 'button', class: 'row', onclick: () => this.map.reveal(key), onpointerenter: () => this.map.highlight(key),
            onpointerleave: () => this.map.highlight(null), onfocus: () => this.map.highlight(key), onblur: () => this.map.highlight(null),
        }, ...children);
    }

    #linkRow(link, title = this.model.title(link.key)) {
        const share = utilisation(link.load);
        const meter = h('span', { class: 'meter' });
        const fill = h('span', { class: `fill ${colourNames[colour(link.load)]}` });
        fill.style.width = `${Math.min(100, 100 * (share ?? Math.min(1, Math.log10(1 + busier(link.load)) / 11)))}%`;
        meter.append(fill);
        return h('li', {}, this.#press(link.key,
            h('span', { class: 'name' }, title), link.load ? measured(bitRateParts(busier(link.load))) : h('span', {}),
            h('span', { class: 'quiet' }, kind(link.kind), link.attributes?.application ? ` · ${link.attributes.application}` : ''),
            h('span', { class: 'quiet share' }, share === null ? '' : percent(share)), link.load ? meter : ''));
    }

    #changeRow(change, isCompared = false) {
        const words = change.attributes?.map(a => `${a.name} ${attribute(a.before)} → ${attribute(a.after)}`).join(', ');
        return h('li', {}, this.#press(change.key,
            h('span', { class: 'name' }, h('span', { class: `sign ${change.change}`, 'aria-hidden': 'true' }), change.name),
            h('span', { class: 'quiet' }, isCompared ? kind(change.kind) : clock(change.at)),
            isCompared && !words ? '' : h('span', { class: 'quiet wide' }, isCompared ? words : `${kind(change.kind)} ${change.change}${words ? `: ${words}` : ''}`)));
    }

    // MARK: a thing

    #fillThing(thing) {
        const key = this.#key;
        const isLink = this.model.isLink(key);
        this.#filled = { signature: this.#signature(key), load: h('dl', { class: 'facts' }), chart: h('div', {}), flows: h('div', {}), history: h('div', {}) };
        const mark = this.model.mark(key);
        const close = h('button', { type: 'button', class: 'plain close', 'aria-label': 'Close', onclick: () => { this.map.select(null); byId('over').focus(); } }, '×');
        this.#place.replaceChildren(...[
            h('header', {}, h('div', {}, h('h2', {}, this.model.title(key)), h('p', { class: 'quiet' }, describe(thing), mark ? h('span', { class: `mark ${mark}` }, mark) : '')), close),
            thing.load ? this.#filled.load : null, this.#filled.chart, isLink ? this.#ends(thing) : null, this.#facts(thing),
            isLink ? null : this.#inside(key), isLink ? null : this.#links(key), this.#filled.flows, this.#filled.history,
            h('p', { class: 'key quiet', title: 'key' }, key),
        ].filter(Boolean));
        this.#place.scrollTop = 0;
        this.#updateLoads();
        if (isLink && thing.load) this.#fillChart(key, thing);
        if (thing.filter) this.#fillFlows(key, thing.filter);
        this.#fillHistory(key);
    }

    #loadLines(link) {
        if (!link?.load) return [];
        const { load } = link;
        const share = utilisation(load);
        const line = (name, ...values) => [h('dt', {}, name), h('dd', {}, ...values)];
        const lines = [
            line('forward', measured(bitRateParts(load.bitsPerSecond)), measured(packetRateParts(load.packetsPerSecond), 'second')),
        ];
        if (load.reverseBitsPerSecond !== undefined) {
            lines.push(line('back', measured(bitRateParts(load.reverseBitsPerSecond)), measured(packetRateParts(load.reversePacketsPerSecond), 'second')));
        }
        if (share !== null) lines.push(line('capacity', measured(bitRateParts(load.capacityBitsPerSecond)), h('span', { class: `second used ${share >= 0.8 ? 'flood' : share >= 0.5 ? 'silt' : ''}` }, `${percent(share)} used`)));
        const rtt = load.roundTripMicroseconds;
        if (rtt) {
            const part = name => { const { number, unit } = microsecondParts(rtt[name]); return `${number} ${unit}`; };
            lines.push(line('round trip', measured(microsecondParts(rtt.p50)), h('span', { class: 'second quiet' }, `p90 ${part('p90')} · p99 ${part('p99')}`)));
        }
        if (load.retransmissionRatio !== undefined) lines.push(line('sent again', measured({ number: (load.retransmissionRatio * 100).toFixed(2), unit: '%' })));
        return lines.flat();
    }

    #ends(link) {
        return h('ul', { class: 'rows' }, ...[['from', link.from], ['to', link.to]].map(([word, key]) => {
            const entity = this.model.entities.get(key);
            return h('li', {}, this.#press(key, h('span', { class: 'name' }, entity?.name ?? key), h('span', { class: 'quiet' }, word), h('span', { class: 'quiet wide' }, entity ? describe(entity) : '')));
        }));
    }

    #facts(thing) {
        const facts = Object.entries(thing.attributes ?? {}).map(([name, value]) => [h('dt', {}, name), h('dd', {}, attribute(value))]);
        if (thing.parent) facts.unshift([h('dt', {}, 'in'), h('dd', {}, [...this.model.ancestors(thing.key)].map(key => this.model.title(key)).join(' in '))]);
        if (thing.since) facts.push([h('dt', {}, 'since'), h('dd', {}, `${when(thing.since)} (${span(Date.now() - moment(thing.since))})`)]);
        return facts.length ? h('dl', { class: 'facts' }, ...facts.flat()) : null;
    }

    #inside(key) {
        const inside = [...this.model.entities.values()].filter(entity => entity.parent === key);
        if (!inside.length) return null;
        inside.sort((a, b) => a.kind.localeCompare(b.kind) || a.name.localeCompare(b.name, 'en', { numeric: true }));
        return h('div', {}, h('h3', {}, `In it (${inside.length})`), h('ul', { class: 'rows' }, ...inside.slice(0, 40).map(entity =>
            h('li', {}, this.#press(entity.key, h('span', { class: 'name' }, entity.name), h('span', { class: 'quiet' }, describe(entity)))))));
    }

    #links(key) {
        const own = new Set([key, ...[...this.model.entities.values()].filter(e => e.parent === key && e.kind === 'service').map(e => e.key)]);
        const links = [...this.model.links.values()].filter(link => own.has(link.from) || own.has(link.to));
        if (!links.length) return null;
        links.sort((a, b) => busier(b.load) - busier(a.load));
        const other = link => this.model.qualified(own.has(link.from) ? link.to : link.from);
        return h('div', {}, h('h3', {}, `Links (${links.length})`), h('ul', { class: 'rows' }, ...links.slice(0, 12).map(link => this.#linkRow(link, other(link)))));
    }

    async #fillChart(key, thing) {
        const to = Date.now();
        const answer = await this.#series.get('series', { key, from: stamp(to - 15 * 60000), to: stamp(to), step: 5 }).catch(() => undefined);
        if (!answer || key !== this.#key || !answer.series.length) return;
        const [series] = answer.series;
        const canvas = h('canvas', { class: 'small-chart', role: 'img', 'aria-label': `The last 15 minutes of ${this.model.title(key)}` });
        this.#filled.chart.replaceChildren(h('h3', {}, 'Last 15 minutes'), canvas);
        const most = Math.max(...series.values.map(v => v ?? 0), ...(series.reverse ?? []).map(v => v ?? 0));
        const shown = { from: moment(answer.from), to: moment(answer.to), values: series.values, reverse: series.reverse, capacity: thing.load.capacityBitsPerSecond };
        this.#chart = () => drawChart(canvas, shown, { top: ceiling(most), format: bitRate });
        this.#redraw();
    }

    async #fillFlows(key, filter) {
        const answer = await get('flows', { filter, top: 6 }).catch(() => null);
        if (!answer || key !== this.#key) return;
        const rows = answer.flows.map(flow => {
            const tuple = flow.inner ?? flow.tuple;
            return h('li', { class: 'flow' }, h('span', { class: 'name' }, `${end(tuple.source, tuple.sourcePort)} → ${end(tuple.destination, tuple.destinationPort)}`), measured(bitRateParts(flow.bitsPerSecond)));
        });
        this.#filled.flows.replaceChildren(
            h('h3', {}, `Flows (${answer.matched})`), h('ul', { class: 'rows plain-rows' }, ...rows),
            h('p', {}, h('a', { href: `#flows&filter=${encodeURIComponent(filter)}` }, 'All of them in the flow table')));
    }

    async #fillHistory(key) {
        const answer = await get('topology/history', { key, from: stamp(Date.now() - 86400000), to: stamp(Date.now()), top: 5 }).catch(() => null);
        if (!answer?.changes.length || key !== this.#key) return;
        this.#filled.history.replaceChildren(h('h3', {}, 'Its last changes'), h('ul', { class: 'rows' }, ...answer.changes.reverse().map(change => {
            const words = change.attributes?.map(a => `${a.name} ${attribute(a.before)} → ${attribute(a.after)}`).join(', ');
            return h('li', {}, h('button', { type: 'button', class: 'row', onclick: () => this.timeline.goTo(moment(change.at)) },
                h('span', { class: 'name' }, h('span', { class: `sign ${change.change}`, 'aria-hidden': 'true' }), words || change.change), h('span', { class: 'quiet' }, when(change.at))));
        })));
    }

    // MARK: a comparison

    #fillComparison() {
        const { changes, traffic, from, to } = this.#comparison;
        const parts = [h('h2', {}, 'Compared'), h('p', { class: 'quiet' }, `${when(from)} with ${when(to)}`)];
        for (const what of ['appeared', 'vanished', 'changed']) {
            const found = changes.filter(change => change.change === what);
            if (!found.length) continue;
            parts.push(h('h3', {}, h('span', { class: `sign ${what}`, 'aria-hidden': 'true' }), `${what[0].toUpperCase()}${what.slice(1)} (${found.length})`));
            parts.push(h('ul', { class: 'rows' }, ...found.slice(0, 60).map(change => this.#changeRow(change, true))));
        }
        if (!changes.length) parts.push(h('p', {}, 'The same nodes and links, with the same attributes.'));
        if (traffic.length) {
            parts.push(h('h3', {}, `Traffic beyond noise (${traffic.length})`), h('ul', { class: 'rows' }, ...traffic.slice(0, 30).map(shift =>
                h('li', {}, this.#press(shift.key, h('span', { class: 'name' }, shift.name), measured(bitRateParts(shift.after)), h('span', { class: 'quiet wide' }, `before ${bitRate(shift.before)}`))))));
        }
        this.#place.replaceChildren(...parts);
    }

    #redraw() {
        this.#chart?.();
    }
}

const end = (address, port) => (port === undefined ? address ?? '?' : address?.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);
