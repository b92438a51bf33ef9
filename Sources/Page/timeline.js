// The history: all traffic as a river's hydrograph, the changes as marks above it, and a slider over both that chooses the moment the map
// shows; a second slider for the moment it is compared with. Incidents are as long as they took.
import { get } from './api.js';
import { marks } from './chart.js';
import { byId, face, fitted, h } from './dom.js';
import { moment, span, stamp, when } from './format.js';
import { height } from './level.js';
import { colours, onTheme } from './theme.js';

const windows = [[900, '15 min'], [3600, '1 h'], [21600, '6 h'], [86400, '24 h']];
/** Events: `at` with a moment in milliseconds, or null for now; `compare` with {from, to} or null; `history` with changes. */
export class Timeline extends EventTarget {
    #length = 3600;
    #window = { from: Date.now() - 3600000, to: Date.now() };
    /** null: now. */
    at = null;
    /** The earlier moment of a comparison; null: none. */
    since = null;
    #values = [];
    #changes = [];
    #incidents = [];
    #playing = false;
    #busy = false;

    constructor() {
        super();
        this.#make();
        onTheme(() => this.#draw());
        new ResizeObserver(() => this.#draw()).observe(this.canvas);
        setInterval(() => this.#slide(), 5000);
    }

    #make() {
        const slider = (name, label, input) => h('input', {
            type: 'range', class: name, min: 0, max: this.#length, step: 1, 'aria-label': label, oninput: input,
        });
        this.canvas = h('canvas', { 'aria-hidden': 'true' });
        this.slider = slider('moment', 'Moment that the map shows', () => this.goTo(this.#fromSlider(this.slider)));
        this.sinceSlider = slider('since', 'Moment that it is compared with', () => this.#compareWith(this.#fromSlider(this.sinceSlider)));
        this.sinceSlider.hidden = true;
        const button = (text, label, onclick) => h('button', { type: 'button', 'aria-label': label, title: label, onclick }, text);
        this.play = button('▶', 'Replay', () => this.#toggle());
        this.now = h('button', { type: 'button', class: 'now', onclick: () => this.goTo(null) }, 'Now');
        this.text = h('output', { class: 'moment-text' });
        this.compareButton = h('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.#toggleCompare() }, 'Compare');
        const choice = h('select', { 'aria-label': 'Length of the history', onchange: event => this.setLength(Number(event.target.value)) },
            ...windows.map(([seconds, text]) => h('option', { value: seconds, selected: seconds === this.#length }, text)));
        this.track = h('div', { class: 'track', onpointerdown: event => this.#pressed(event) }, this.canvas, this.sinceSlider, this.slider);
        byId('timeline').replaceChildren(
            h('div', { class: 'buttons' }, button('‹', 'To the change or incident before', () => this.#step(-1)), this.play,
                button('›', 'To the change or incident after', () => this.#step(1))),
            this.track, h('div', { class: 'buttons' }, this.text, this.now, this.compareButton, choice));
        this.#show();
    }

    #fromSlider(slider) {
        return this.#window.from + Number(slider.value) * 1000;
    }

    async load() {
        const { from, to } = this.#window;
        const step = Math.max(1, Math.round(this.#length / 300));
        const [series, history] = await Promise.allSettled([
            get('series', { key: 'total', from: stamp(from), to: stamp(to), step }),
            get('topology/history', { from: stamp(from), to: stamp(to), top: 2000 }),
        ]);
        if (series.status === 'fulfilled') this.#values = series.value.series[0]?.values ?? [];
        if (history.status === 'fulfilled') {
            this.#changes = history.value.changes.map(change => ({ at: moment(change.at), change: change.change }));
            this.dispatchEvent(new CustomEvent('history', { detail: history.value.changes }));
        }
        this.#draw();
    }

    /** @param incidents of the API. */
    setIncidents(incidents) {
        this.#incidents = incidents.map(({ start, end, verdict }) => ({ start: moment(start), end: end ? moment(end) : null, verdict }));
        this.#draw();
    }

    setLength(seconds) {
        this.#length = seconds;
        this.#window = { from: Date.now() - seconds * 1000, to: Date.now() };
        for (const slider of [this.slider, this.sinceSlider]) slider.max = seconds;
        this.#values = [];
        this.#show();
        this.load();
    }

    /** While now is shown the window goes along. */
    #slide() {
        if (this.at !== null || this.since !== null || document.hidden || !this.canvas.offsetParent) return;
        this.#window = { from: Date.now() - this.#length * 1000, to: Date.now() };
        this.load();
    }

    // MARK: choosing

    goTo(at) {
        const isNow = at === null || at >= this.#window.to - 999;
        if (!isNow && at < this.#window.from) {
            const enough = windows.find(([seconds]) => Date.now() - seconds * 1000 < at);
            this.#length = enough?.[0] ?? this.#length;
            this.setLength(this.#length);
        }
        if (isNow) {
            this.#playing = false;
            this.#window = { from: Date.now() - this.#length * 1000, to: Date.now() };
        }
        this.at = isNow ? null : at;
        this.#show();
        this.#tell();
    }

    #tell() {
        if (this.since !== null) {
            const [a, b] = [this.since, this.at ?? Date.now()];
            this.dispatchEvent(new CustomEvent('compare', { detail: { from: Math.min(a, b), to: Math.max(a, b) } }));
        } else this.dispatchEvent(new CustomEvent('at', { detail: this.at }));
    }

    #toggleCompare() {
        if (this.since === null) return this.#compareWith((this.at ?? Date.now()) - this.#length * 250);
        this.since = null;
        this.#show();
        this.dispatchEvent(new CustomEvent('compare', { detail: null }));
        this.#tell();
    }

    #compareWith(since) {
        this.#playing = false;
        this.since = Math.max(since, this.#window.from);
        this.#show();
        this.#tell();
    }

    #pressed(event) {
        if (event.target.tagName === 'INPUT') return;
        const box = this.canvas.getBoundingClientRect();
        this.goTo(this.#window.from + (event.clientX - box.left) / box.width * (this.#window.to - this.#window.from));
        this.slider.focus();
    }

    #step(by) {
        const at = this.at ?? Date.now();
        const moments = [...this.#changes.map(change => change.at), ...this.#incidents.map(incident => incident.start)].sort((a, b) => a - b);
        const found = by < 0 ? moments.filter(m => m < at - 1500).at(-1) : moments.find(m => m > at + 1500);
        this.goTo(found ? found + 500 : by < 0 ? this.#window.from : null);
    }

    #toggle() {
        this.#playing = !this.#playing;
        if (this.#playing && this.at === null) this.at = this.#window.from;
        this.#show();
        if (this.#playing) this.#advance();
    }

    /** From one end of the window to the other in 40 seconds, as fast as answers come. */
    #advance() {
        if (!this.#playing) return;
        if (!this.#busy) this.goTo(this.at + this.#length * 1000 / 40 * 0.25);
        if (this.#playing) setTimeout(() => this.#advance(), 250);
    }

    /** Answers are under way: a replay waits for them. */
    set busy(busy) {
        this.#busy = busy;
    }

    // MARK: showing

    #show() {
        const seconds = at => Math.round((at - this.#window.from) / 1000);
        this.slider.value = this.at === null ? this.#length : seconds(this.at);
        this.sinceSlider.hidden = this.since === null;
        if (this.since !== null) this.sinceSlider.value = seconds(this.since);
        this.play.textContent = this.#playing ? '❙❙' : '▶';
        this.play.setAttribute('aria-label', this.#playing ? 'Pause' : 'Replay');
        this.now.hidden = this.at === null;
        this.compareButton.setAttribute('aria-pressed', String(this.since !== null));
        const text = this.at === null ? 'now' : when(this.at);
        this.text.textContent = this.since === null ? text : `${when(this.since)} → ${text}`;
        this.slider.setAttribute('aria-valuetext', this.at === null ? 'now' : `${when(this.at)}, ${span(Date.now() - this.at)} ago`);
        if (this.since !== null) this.sinceSlider.setAttribute('aria-valuetext', when(this.since));
        byId('timeline').classList.toggle('past', this.at !== null || this.since !== null);
        this.#draw();
    }

    #draw() {
        const { width: w, height: h2 } = this.canvas.getBoundingClientRect();
        if (!w || !h2) return;
        const { context } = fitted(this.canvas, w, h2);
        const colour = colours();
        const [upper, lower] = [12, h2 - 15];
        const { from, to } = this.#window;
        const x = at => (at - from) / (to - from) * w;
        context.clearRect(0, 0, w, h2);
        this.#drawWater(context, colour, w, upper, lower);
        context.font = face(10);
        context.textAlign = 'center';
        for (const mark of marks(from, to, Math.max(2, w / 90))) {
            context.fillStyle = colour.rule;
            context.fillRect(x(mark.at), upper, 1, lower - upper + 4);
            context.fillStyle = colour.muted;
            if (x(mark.at) > 20 && x(mark.at) < w - 20) context.fillText(mark.text, x(mark.at), h2 - 3);
        }
        for (const change of this.#changes) {
            context.fillStyle = colour[change.change];
            context.fillRect(Math.round(x(change.at)), 3, 1.5, 7);
        }
        this.#drawIncidents(context, colour, x, upper, lower, w);
        this.#drawHands(context, colour, x, lower, w);
    }

    #drawWater(context, colour, w, upper, lower) {
        const values = this.#values;
        if (!values.length) return;
        const present = values.filter(v => v !== null).map(height);
        const [low, high] = [Math.min(...present) - 0.02, Math.max(...present) + 0.01];
        const y = v => lower - (height(v) - low) / (high - low) * (lower - upper);
        const step = w / values.length;
        context.beginPath();
        context.moveTo(0, lower);
        values.forEach((value, i) => {
            if (value === null) return;
            if (i && values[i - 1] === null) context.lineTo(i * step, lower);
            context.lineTo((i + 0.5) * step, y(value));
            if (values[i + 1] === null) context.lineTo((i + 0.5) * step, lower);
        });
        context.lineTo(w, y(values.at(-1) ?? 0));
        context.lineTo(w, lower);
        context.fillStyle = colour['water-2'];
        context.globalAlpha = 0.5;
        context.fill();
        context.globalAlpha = 1;
    }

    /** As long as they took; what people called no incident is faint. */
    #drawIncidents(context, colour, x, upper, lower, w) {
        for (const { start, end, verdict } of this.#incidents) {
            const [left, right] = [x(start), Math.min(w, x(end ?? Date.now()))];
            if (right < 0 || left > w) continue;
            const width = Math.max(3, right - left);
            context.fillStyle = verdict === 'false-alarm' ? colour.faint : colour.flood;
            context.globalAlpha = 0.16;
            context.fillRect(left, upper, width, lower - upper);
            context.globalAlpha = 1;
            context.fillRect(left, lower, width, 3);
        }
    }

    /** Where the map stands, and what it is compared with. */
    #drawHands(context, colour, x, lower, w) {
        const now = this.at === null ? w : x(this.at);
        if (this.since !== null) {
            const since = x(this.since);
            context.fillStyle = colour.silt;
            context.globalAlpha = 0.2;
            context.fillRect(Math.min(since, now), 2, Math.abs(now - since), lower);
            context.globalAlpha = 1;
            context.fillRect(since - 1, 2, 2, lower);
        }
        context.fillStyle = this.at === null ? colour['water-4'] : colour.flood;
        context.fillRect(Math.min(w - 2, now - 1), 2, 2, lower);
    }
}
