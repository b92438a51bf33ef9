// What a series is usually like: sentences, its hours as a strip of heat, and the series that go before or after it.
import { Latest } from './api.js';
import { face, fitted, h } from './dom.js';
import { plainSpan, rangeIn, textIn } from './format.js';
import { wordsOf } from './forecast.js';
import { colours, onTheme } from './theme.js';

const days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const hours = 24;
const [left, lower, row] = [30, 14, 17];

export class Profile {
    #asked = new Latest();
    #shown = '';
    element = h('section', { class: 'profile', 'aria-label': 'What is usual' });

    /** @param key as `GET /v1/profile` takes it. @param measure `bits` or `packets`. */
    async show(key, measure) {
        // What is usual of another one is not shown under its name.
        const asked = `${measure} ${key}`;
        if (asked !== this.#shown) this.element.replaceChildren();
        this.#shown = asked;
        try {
            const report = await this.#asked.get('profile', { key, measure });
            if (report) this.#fill(report);
        } catch (failure) {
            this.element.replaceChildren(h('p', { class: 'quiet' }, `No profile: ${failure.message}`));
        }
    }

    #fill(report) {
        const told = report.directions.filter(direction => direction.level?.highest > 0);
        const parts = (told.length ? told : report.directions.slice(0, 1)).map(direction => {
            const pattern = direction.weekly ?? direction.daily;
            return h('div', {}, told.length > 1 ? h('h4', {}, wordsOf(direction.direction)) : null,
                ...direction.words.map(words => h('p', {}, words)), pattern ? new HeatStrip(report, direction, pattern).element : null);
        });
        this.element.replaceChildren(h('h3', {}, 'What is usual'), ...parts, ...this.#relations(report.relations));
    }

    #relations(relations) {
        if (!relations.length) return [];
        const rows = relations.map(one => {
            const lag = one.lagSeconds ? `${plainSpan(one.lagSeconds * 1000)} ${one.otherLeads ? 'before it' : 'after it'}` : 'with it';
            const link = h('a', { href: `#forecast&key=${encodeURIComponent(one.key)}` }, `${one.name} ${wordsOf(one.otherDirection)}`.trim());
            const sense = one.correlation < 0 ? 'the other way' : 'the same way';
            return h('li', {}, link, ` changes ${lag}, ${sense} (correlation ${one.correlation.toFixed(2)})`);
        });
        return [h('h4', {}, 'What changes with it'), h('ul', {}, ...rows)];
    }
}

/** Hours beside each other, days below each other: the darker the more. */
class HeatStrip {
    #hour = null;

    /** @param pattern 24 hours of the day, or 168 of the week. */
    constructor(report, direction, pattern) {
        Object.assign(this, { report, pattern, rows: pattern.length / hours });
        const name = `Usual hours of ${report.name} ${wordsOf(direction.direction)}`.trim();
        this.canvas = h('canvas', {
            class: 'heat', tabindex: 0, role: 'slider', 'aria-label': name, 'aria-valuemin': 0, 'aria-valuemax': pattern.length - 1,
            onpointermove: event => this.#point(event), onpointerleave: () => this.#pointAt(null), onkeydown: event => this.#key(event),
        });
        this.canvas.style.height = `${this.rows * row + lower}px`;
        this.reading = h('p', { class: 'quiet' });
        this.element = h('div', {}, this.canvas, this.reading);
        const size = new ResizeObserver(() => {
            if (this.element.isConnected) return this.#draw();
            size.disconnect();
            forget();
        });
        const forget = onTheme(() => this.#draw());
        size.observe(this.canvas);
        this.#read();
    }

    /** That of now. */
    get #now() {
        const hour = Math.floor(Date.parse(this.report.at) / 1000 / (this.report.secondsPerDay / hours));
        // The epoch began on a Thursday.
        return this.rows > 1 ? (hour + 3 * hours) % this.pattern.length : hour % hours;
    }

    #draw() {
        const { width: w, height } = this.canvas.getBoundingClientRect();
        if (!w) return;
        const { context } = fitted(this.canvas, w, height);
        const colour = colours();
        context.clearRect(0, 0, w, height);
        const most = Math.max(...this.pattern.map(hour => hour.median ?? 0)) || 1;
        const cell = (w - left) / hours;
        const place = hour => [left + (hour % hours) * cell, Math.floor(hour / hours) * row];
        this.pattern.forEach(({ median }, hour) => {
            const [x, y] = place(hour);
            context.globalAlpha = median === undefined || median === null ? 1 : 0.08 + 0.92 * median / most;
            context.fillStyle = median === undefined || median === null ? colour.ground : colour['water-3'];
            context.fillRect(x, y, cell - 1, row - 1);
        });
        context.globalAlpha = 1;
        for (const [hour, style] of [[this.#now, colour.muted], [this.#hour, colour.ink]]) {
            if (hour === null) continue;
            const [x, y] = place(hour);
            context.strokeStyle = style;
            context.lineWidth = 1.5;
            context.strokeRect(x + 0.25, y + 0.75, cell - 1.5, row - 2.5);
        }
        context.font = face(10);
        context.fillStyle = colour.muted;
        context.textAlign = 'left';
        for (let day = 0; day < this.rows; day++) context.fillText(this.rows > 1 ? days[day].slice(0, 3) : 'UTC', 0, day * row + 12);
        for (let hour = 0; hour < hours; hour += 6) context.fillText(`${String(hour).padStart(2, '0')}:00`, left + hour * cell, height - 2);
    }

    #read() {
        const hour = this.#hour ?? this.#now;
        const { low, median, high } = this.pattern[hour];
        const { unit } = this.report;
        const at = `${this.rows > 1 ? `${days[Math.floor(hour / hours)]} ` : ''}${String(hour % hours).padStart(2, '0')}:00 UTC`;
        // Of one day alone there is no range.
        const range = low < high ? `, 80\u00a0% in ${rangeIn(unit, low, high)}` : '';
        const usual = median === undefined || median === null ? 'not known' : textIn(unit, median) + range;
        this.reading.textContent = `${at}: ${usual}`;
        this.canvas.setAttribute('aria-valuenow', hour);
        this.canvas.setAttribute('aria-valuetext', this.reading.textContent);
    }

    #point(event) {
        const box = this.canvas.getBoundingClientRect();
        const hour = Math.floor((event.clientX - box.left - left) / (box.width - left) * hours);
        const day = Math.floor((event.clientY - box.top) / row);
        this.#pointAt(hour >= 0 && hour < hours && day >= 0 && day < this.rows ? day * hours + hour : null);
    }

    #pointAt(hour) {
        this.#hour = hour;
        this.#draw();
        this.#read();
    }

    #key(event) {
        const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -hours, ArrowDown: hours }[event.key];
        if (event.key === 'Escape') this.#pointAt(null);
        else if (by) this.#pointAt(Math.max(0, Math.min(this.pattern.length - 1, (this.#hour ?? this.#now) + by)));
        else return;
        event.preventDefault();
    }
}
