// One entity or link in full: load, ends, attributes, what is in it, links, flows and changes. The latter are asked for when it is opened.
import { get } from './api.js';
import { drawChart, scaleOf } from './chart.js';
import { Forecast } from './forecast.js';
import { byId, h, measured, toggles } from './dom.js';
import {
    attribute, bitRate, bitRateParts, microsecondParts, moment, packetRateParts, percent, place, span, stamp, when,
} from './format.js';
import { busier, flood, silt, utilisation } from './level.js';
import { gauges } from './outlook.js';
import { changedWords, linkRow, list, name, pressRow, quiet, sign } from './rows.js';
import { describe } from './words.js';

const charted = 15 * 60000;
const remembered = 86400000;
/** Kinds of entities that are watched, whose series are forecast. */
const watched = new Set(['interface', 'network', 'application']);

export class Thing {
    #load = h('dl', { class: 'facts' });
    #chart = h('div', {});
    #flows = h('div', {});
    #history = h('div', {});
    #draw = null;

    /** @param forecast of the same thing, from before it changed; null for none. */
    constructor(key, { model, map, timeline }, forecast = null) {
        Object.assign(this, { key, model, map, timeline });
        const thing = model.get(key);
        const isLink = model.isLink(key);
        this.signature = this.#state();
        this.elements = [
            this.#head(thing), thing.load ? this.#load : null, this.#chart, isLink ? this.#ends(thing) : null, this.#facts(thing),
            isLink ? null : this.#inside(), isLink ? null : this.#links(), this.#ahead(thing, isLink, forecast), this.#flows, this.#history,
            h('p', { class: 'key quiet', title: 'key' }, key),
        ].filter(Boolean);
        this.updateLoad();
        if (isLink && thing.load) this.#fill(this.#chartOf(thing.load.capacityBitsPerSecond));
        if (thing.filter) this.#fill(this.#flowsOf(thing.filter));
        this.#fill(this.#changesOf());
    }

    /** What a failure here leaves out is no reason to hide the rest: it is said in its place. */
    #fill(filling) {
        filling.catch(failure => this.#history.append(h('p', { class: 'said' }, failure.message)));
    }

    /** Other attributes, links or marks than when this was made. */
    get isStale() {
        return this.#state() !== this.signature;
    }

    #state() {
        const thing = this.model.get(this.key);
        const links = [...this.model.links.values()].filter(link => link.from === this.key || link.to === this.key).length;
        return JSON.stringify([thing?.attributes, thing?.since, links, this.model.mark(this.key)]);
    }

    redraw() {
        this.#draw?.();
    }

    #head(thing) {
        const mark = this.model.mark(this.key);
        const leave = () => {
            this.map.select(null);
            byId('over').focus();
        };
        const words = h('p', { class: 'quiet' }, describe(thing), mark ? h('span', { class: `mark ${mark}` }, mark) : null);
        return h('header', {}, h('div', {}, h('h2', {}, this.model.title(this.key)), words),
            h('button', { type: 'button', class: 'plain close', 'aria-label': 'Close', onclick: leave }, '×'));
    }

    updateLoad() {
        const load = this.model.get(this.key)?.load;
        if (!load) return;
        const lines = [['forward', load.bitsPerSecond, load.packetsPerSecond]];
        if (load.reverseBitsPerSecond !== undefined) lines.push(['back', load.reverseBitsPerSecond, load.reversePacketsPerSecond]);
        const rows = lines.map(([title, bits, packets]) =>
            fact(title, measured(bitRateParts(bits)), measured(packetRateParts(packets), 'second')));
        const share = utilisation(load);
        if (share !== null) {
            const level = share >= flood ? 'flood' : share >= silt ? 'silt' : '';
            const used = h('span', { class: `second used ${level}` }, `${percent(share)} used`);
            rows.push(fact('capacity', measured(bitRateParts(load.capacityBitsPerSecond)), used));
        }
        const trip = load.roundTripMicroseconds;
        if (trip) {
            const [p50, p90, p99] = ['p50', 'p90', 'p99'].map(part => microsecondParts(trip[part]));
            const worse = quiet(`p50 ≤ ${p50.number} ${p50.unit} · p90 ≤ ${p90.number} ${p90.unit} · p99 ≤ ${p99.number} ${p99.unit}`, 'second');
            rows.push(fact('round trip', measured(microsecondParts(trip.least)), worse));
        }
        if (load.retransmissionRatio !== undefined) {
            rows.push(fact('sent again', measured({ number: (load.retransmissionRatio * 100).toFixed(2), unit: '%' })));
        }
        this.#load.replaceChildren(...rows.flat());
    }

    #ends(link) {
        return list([['from', link.from], ['to', link.to]].map(([word, key]) => {
            const entity = this.model.entities.get(key);
            return pressRow(this.map, key, name(this.model.qualified(key)), quiet(word), entity ? quiet(describe(entity), 'wide') : null);
        }));
    }

    #facts(thing) {
        const facts = Object.entries(thing.attributes ?? {}).map(([title, value]) => fact(title, attribute(value)));
        const around = [...this.model.ancestors(thing.key)].map(key => this.model.title(key));
        if (around.length) facts.unshift(fact('in', around.join(' in ')));
        if (thing.since) facts.push(fact('since', `${when(thing.since)} (${span(Date.now() - moment(thing.since))})`));
        return facts.length ? h('dl', { class: 'facts' }, ...facts.flat()) : null;
    }

    #inside() {
        const inside = [...this.model.entities.values()].filter(entity => entity.parent === this.key);
        if (!inside.length) return null;
        inside.sort((a, b) => a.kind.localeCompare(b.kind) || a.name.localeCompare(b.name, 'en', { numeric: true }));
        const rows = inside.slice(0, 40).map(entity => pressRow(this.map, entity.key, name(entity.name), quiet(describe(entity))));
        return h('div', {}, h('h3', {}, `In it (${inside.length})`), list(rows));
    }

    /** Its links, with those of the services on it. */
    #links() {
        const services = [...this.model.entities.values()].filter(entity => entity.parent === this.key && entity.kind === 'service');
        const own = new Set([this.key, ...services.map(entity => entity.key)]);
        const links = [...this.model.links.values()].filter(link => own.has(link.from) || own.has(link.to));
        if (!links.length) return null;
        links.sort((a, b) => busier(b.load) - busier(a.load));
        const other = link => this.model.qualified(own.has(link.from) ? link.to : link.from);
        const rows = links.slice(0, 12).map(link => linkRow(this.map, link, other(link)));
        return h('div', {}, h('h3', {}, `Links (${links.length})`), list(rows));
    }

    /** What it is expected to do; of the agent's own host also how busy that will be. */
    #ahead(thing, isLink, forecast) {
        const isHost = thing.kind === 'host' && thing.attributes.kernel !== undefined;
        if (!isHost && !(isLink ? thing.load : watched.has(thing.kind))) return null;
        this.forecast = forecast ?? new Forecast(isHost ? 'total' : this.key);
        const larger = h('a', {}, 'Larger, and how such forecasts did');
        const point = () => { larger.href = `#forecast&key=${encodeURIComponent(this.forecast.key)}`; };
        point();
        const choice = h('div', { class: 'choice gauges', role: 'group', 'aria-label': 'Forecast of' });
        if (isHost) {
            toggles(choice, gauges, value => value === this.forecast.key, value => {
                this.forecast.show(value);
                point();
            });
        }
        return h('div', {}, h('h3', {}, 'Forecast'), isHost ? choice : null, this.forecast.element, h('p', {}, larger));
    }

    async #chartOf(capacity) {
        const to = Date.now();
        const answer = await get('series', { key: this.key, from: stamp(to - charted), to: stamp(to), step: 5 });
        if (!answer.series.length) return;
        const [{ values, reverse }] = answer.series;
        const words = `The last 15 minutes of ${this.model.title(this.key)}`;
        const canvas = h('canvas', { class: 'small-chart', role: 'img', 'aria-label': words });
        this.#chart.replaceChildren(h('h3', {}, 'Last 15 minutes'), canvas);
        const shown = { from: moment(answer.from), to: moment(answer.to), values, reverse, capacity };
        this.#draw = () => drawChart(canvas, shown, { scale: scaleOf(values, reverse), format: bitRate });
        this.redraw();
    }

    async #flowsOf(filter) {
        const answer = await get('flows', { filter, top: 6 });
        const rows = answer.flows.map(flow => {
            const tuple = flow.inner ?? flow.tuple;
            const ends = `${place(tuple.source, tuple.sourcePort)} → ${place(tuple.destination, tuple.destinationPort)}`;
            return h('li', { class: 'flow' }, name(ends), measured(bitRateParts(flow.bitsPerSecond)));
        });
        const all = h('a', { href: `#flows&filter=${encodeURIComponent(filter)}` }, 'All of them in the flow table');
        this.#flows.replaceChildren(
            h('h3', {}, `Flows (${answer.matched})`), h('ul', { class: 'rows plain-rows' }, ...rows), h('p', {}, all));
    }

    async #changesOf() {
        const now = Date.now();
        const answer = await get('topology/history', { key: this.key, from: stamp(now - remembered), to: stamp(now), top: 5 });
        if (!answer.changes.length) return;
        const rows = answer.changes.reverse().map(change => h('li', {}, h('button', {
            type: 'button', class: 'row', title: 'Show the map of then', onclick: () => this.timeline.goTo(moment(change.at)),
        }, name(sign(change.change), changedWords(change) || change.change), quiet(when(change.at)))));
        this.#history.replaceChildren(h('h3', {}, 'Its last changes'), list(rows));
    }
}

const fact = (title, ...values) => [h('dt', {}, title), h('dd', {}, ...values)];
