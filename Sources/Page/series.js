// Time series as small multiples: of links, virtual networks or applications, on one scale or each on its own, with one pointer over all.
import { Latest } from './api.js';
import { drawChart, scaleOf } from './chart.js';
import { byId, h, measured, toggles } from './dom.js';
import { bitRate, bitRateParts, moment, packetRate, packetRateParts, stamp, when } from './format.js';
import { onTheme } from './theme.js';

const every = 5000;
/** Seconds: what is older is not now. */
const fresh = 15;
const kinds = [['link', 'Links'], ['network', 'Networks'], ['application', 'Applications']];
/** What is said where there is none. */
const nothing = {
    link: 'No link between interfaces carried anything in this window.',
    network: 'No virtual network carried anything in this window.',
    application: 'No application was told of in this window.',
};
const windows = [['900', '15 min'], ['3600', '1 h'], ['21600', '6 h'], ['86400', '24 h']];

export class SeriesView {
    #place = byId('series');
    #asked = new Latest();
    #timer = null;
    #kind = 'link';
    #seconds = '3600';
    #measure = 'bits';
    #scale = 'own';
    #network = '';
    #cards = new Map();
    #answer = null;
    #hover = null;

    constructor() {
        const group = (label, choices, get, set) => {
            const place = h('div', { class: 'choice', role: 'group', 'aria-label': label });
            toggles(place, choices, value => get() === value, value => { set(value); this.#ask(); });
            return place;
        };
        this.network = h('select', { onchange: event => { this.#network = event.target.value; this.#ask(); } });
        this.grid = h('div', { class: 'grid' });
        this.said = h('p', { class: 'said', role: 'status' });
        this.#place.append(
            h('div', { class: 'controls' },
                group('Series of', kinds, () => this.#kind, v => { this.#kind = v; }),
                h('label', { class: 'field' }, h('span', { class: 'label' }, 'Network'), this.network),
                group('Over', windows, () => this.#seconds, v => { this.#seconds = v; }),
                group('Measure', [['bits', 'Bits'], ['packets', 'Packets']], () => this.#measure, v => { this.#measure = v; }),
                group('Scale', [['own', 'Own scales'], ['one', 'One scale']], () => this.#scale, v => { this.#scale = v; })),
            this.said, h('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Time series' }, this.grid));
        onTheme(() => this.#draw());
        new ResizeObserver(() => this.#draw()).observe(this.grid);
    }

    setNetworks(networks) {
        this.network.replaceChildren(h('option', { value: '' }, 'All networks'), ...networks.map(network =>
            h('option', { value: network.key, selected: network.key === this.#network }, network.name)));
    }

    start() {
        this.#ask();
        this.#timer ??= setInterval(() => { if (!document.hidden) this.#ask(); }, every);
    }

    stop() {
        clearInterval(this.#timer);
        this.#timer = null;
        this.#asked.cancel();
    }

    async #ask() {
        const [seconds, to] = [Number(this.#seconds), Date.now()];
        try {
            const answer = await this.#asked.get('series', {
                kind: this.#kind, network: this.#network, measure: this.#measure, top: 24,
                from: stamp(to - seconds * 1000), to: stamp(to), step: Math.max(1, Math.round(seconds / 240)),
            });
            if (!answer) return;
            this.said.textContent = answer.series.length ? '' : nothing[this.#kind];
            this.#answer = answer;
            this.#show();
        } catch (failure) {
            this.said.textContent = `${failure.message}${failure.hint ? ` — ${failure.hint}` : ''}`;
        }
    }

    #show() {
        const cards = new Map();
        for (const series of this.#answer.series) cards.set(series.key, this.#cards.get(series.key) ?? this.#makeCard(series));
        this.#cards = cards;
        const wanted = [...cards.values()].map(card => card.element);
        const isSame = wanted.length === this.grid.children.length && wanted.every((element, i) => this.grid.children[i] === element);
        if (!isSame) this.grid.replaceChildren(...wanted);
        this.#draw();
    }

    #makeCard(series) {
        const canvas = h('canvas', {
            tabindex: 0, role: 'img', onpointermove: event => this.#point(event), onpointerleave: () => this.#pointAt(null),
            onkeydown: event => this.#key(event),
        });
        const [now, reading] = [h('p', { class: 'value' }), h('p', { class: 'quiet reading' })];
        const words = series.name.match(/^(wire|veth|tunnel|port|stack|attachment) (.*)$/);
        const kind = words ? h('span', { class: 'quiet' }, words[1]) : null;
        const title = h('h3', { title: series.key }, h('span', { class: 'name' }, words ? words[2] : series.name), kind);
        return { canvas, now, reading, element: h('article', { class: 'card' }, h('header', {}, title, now), canvas, reading) };
    }

    get #parts() {
        return this.#measure === 'bits' ? bitRateParts : packetRateParts;
    }

    #draw() {
        if (!this.#answer || !this.grid.offsetParent) return;
        const { from, to } = { from: moment(this.#answer.from), to: moment(this.#answer.to) };
        const scales = this.#answer.series.map(series => scaleOf(series.values, series.reverse));
        const one = { top: Math.max(1, ...scales.map(scale => scale.top)), bottom: Math.max(0, ...scales.map(scale => scale.bottom)) };
        const format = this.#measure === 'bits' ? bitRate : packetRate;
        this.#answer.series.forEach((series, index) => {
            const card = this.#cards.get(series.key);
            const shown = { from, to, values: series.values, reverse: series.reverse, capacity: series.capacity };
            drawChart(card.canvas, shown, { scale: this.#scale === 'one' ? one : scales[index], hover: this.#hover, format });
            this.#read(card, series, from, to, format);
        });
    }

    /** The number in the card's head: under the pointer, or the latest. */
    #read(card, series, from, to, format) {
        const at = this.#hover ?? to;
        const under = Math.min(series.values.length - 1, Math.max(0, Math.floor((at - from) / (to - from) * series.values.length)));
        const place = this.#hover === null ? this.#latest(series.values) : under;
        const [value, back] = [series.values[place], series.reverse?.[place]];
        card.now.replaceChildren(value === null ? 'not measured' : measured(this.#parts(value)));
        const words = [];
        if (this.#hover !== null) words.push(when(at));
        if (back !== undefined && back !== null) words.push(`back ${format(back)}`);
        if (series.capacity) words.push(`capacity ${bitRate(series.capacity)}`);
        card.reading.textContent = words.join(' · ');
        const most = Math.max(...series.values.map(v => v ?? 0));
        const told = value === null ? 'not measured' : format(value);
        const then = this.#hover === null ? 'now' : `at ${when(at)}`;
        card.canvas.setAttribute('aria-label', `${series.name}: ${told} ${then}, highest ${format(most)}`);
    }

    /** The newest step that was measured: those of the last seconds are still to come. */
    #latest(values) {
        const steps = Math.ceil(fresh / this.#answer.stepSeconds);
        const place = values.findLastIndex(value => value !== null);
        return place >= values.length - 1 - steps ? place : values.length - 1;
    }

    #point(event) {
        const box = event.currentTarget.getBoundingClientRect();
        const { from, to } = { from: moment(this.#answer.from), to: moment(this.#answer.to) };
        this.#pointAt(from + (event.clientX - box.left) / box.width * (to - from));
    }

    #pointAt(at) {
        this.#hover = at;
        this.#draw();
    }

    /** The arrow keys move the pointer over all charts. */
    #key(event) {
        const { from, to } = { from: moment(this.#answer.from), to: moment(this.#answer.to) };
        const step = this.#answer.stepSeconds * 1000;
        const by = { ArrowLeft: -step, ArrowRight: step, Home: from - to, End: to - from }[event.key];
        if (event.key === 'Escape') this.#pointAt(null);
        else if (by) this.#pointAt(Math.min(to - 1, Math.max(from, (this.#hover ?? to) + by)));
        else return;
        event.preventDefault();
    }
}
