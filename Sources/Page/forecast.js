// What a series is expected to do: the fan chart with its readings, how far to look ahead, and how well such forecasts did, in words.
import { Latest } from './api.js';
import { h, toggles } from './dom.js';
import { drawFan, fanOf, fanScale, isNothing } from './fan.js';
import { percent, plainSpan, rangeIn, textIn, when } from './format.js';
import { onTheme } from './theme.js';

/** Milliseconds between two questions: a fifth of a step, within these. */
const [soonest, latest] = [10000, 60000];
/** How far ahead: steps, and those of a day. What they take is the agent's to say. */
const spans = { minutes: { name: 'Minutes', steps: 60, perDay: 8640 }, day: { name: 'Day', steps: 288, perDay: 288 },
    week: { name: 'Week', steps: 168, perDay: 24 } };
/** Pairs of levels, as places in the report's, the middle first. */
const bands = [[4, 6], [3, 7], [2, 8], [1, 9], [0, 10]];

export class Forecast {
    #asked = new Latest();
    #timer = null;
    /** null: the widest that there is enough of. */
    #span = null;
    #fan = null;
    #hover = null;
    #hidden = new Set();
    /** Seconds that the agent's day takes; null: not known yet. */
    #day = null;
    #scale = null;
    #seen = new ResizeObserver(() => this.redraw());

    /** @param key as `GET /v1/forecast` takes it. @param named is told what that is called. */
    constructor(key, named = () => {}) {
        Object.assign(this, { key, named });
        const choice = this.choice = h('div', { class: 'choice', role: 'group', 'aria-label': 'How far ahead' });
        const choices = Object.entries(spans).map(([value, { name }]) => [value, name]);
        this.showSpan = toggles(choice, choices, value => this.span === value, value => {
            this.#span = value;
            this.#hover = null;
            this.ask();
        });
        this.canvas = h('canvas', {
            class: 'fan', tabindex: 0, role: 'slider', 'aria-label': 'Forecast', 'aria-valuenow': 0,
            onpointermove: event => this.#point(event), onpointerleave: () => this.#pointAt(null), onkeydown: event => this.#key(event),
        });
        this.legend = h('div', { class: 'fan-legend' });
        this.reading = h('table', { class: 'fan-reading' });
        this.words = h('div', { class: 'fan-words' });
        this.said = h('p', { class: 'quiet', role: 'status' });
        this.body = h('div', { class: 'fan-body', hidden: true }, this.canvas, this.legend, this.reading, this.words);
        this.element = h('div', { class: 'forecast' }, choice, this.said, this.body);
        this.#seen.observe(this.canvas);
        this.forget = onTheme(() => this.redraw());
        this.ask();
    }

    /** The one that is shown. */
    span = 'day';
    #measure = 'bits';

    /** Another series in the same place. */
    show(key) {
        if (key === this.key) return;
        Object.assign(this, { key });
        this.#fan = this.#hover = this.#span = null;
        this.body.hidden = true;
        this.ask();
    }

    /** @param measure `bits` or `packets`; levels have neither. */
    set measure(measure) {
        if (measure === this.#measure) return;
        this.#measure = measure;
        this.ask();
    }

    /** Asks now, and again as long as it is on the page. */
    async ask() {
        clearTimeout(this.#timer);
        try {
            const report = await this.#report();
            if (!report) return;
            this.#show(report);
        } catch (failure) {
            this.said.textContent = `No forecast: ${failure.message}${failure.hint ? ` — ${failure.hint}` : ''}`;
            this.body.hidden = true;
        }
        this.#again();
    }

    #again() {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
            if (!this.element.isConnected) return this.#end();
            if (document.hidden || !this.element.offsetParent) this.#again();
            else this.ask();
        }, Math.min(latest, Math.max(soonest, (this.#fan?.step ?? 0) / 5)));
    }

    #end() {
        this.#seen.disconnect();
        this.forget();
    }

    /** Where nobody chose: of the day, or of minutes as long as there is too little for that. */
    async #report() {
        const ask = span => this.#asked.get('forecast', { key: this.key, span, measure: this.#measure });
        const wanted = this.#span ?? 'day';
        let report = await ask(wanted);
        this.span = wanted;
        if (report && !this.#span && report.directions.every(direction => !direction.quantiles)) {
            const nearer = await ask('minutes');
            if (!nearer || nearer.directions.some(direction => direction.quantiles)) {
                report = nearer;
                this.span = 'minutes';
            }
        }
        this.showSpan();
        return report;
    }

    #show(report) {
        this.#fan = fanOf(report);
        this.levels = report.levels;
        this.name = report.name;
        this.named(report.name);
        this.said.textContent = '';
        this.body.hidden = false;
        this.#tellSpans(report.stepSeconds);
        this.#tellEarlier();
        this.#tellWords();
        this.redraw();
    }

    /** What the spans take: a day that is played faster is told by the steps of its forecasts. */
    #tellSpans(stepSeconds) {
        // Steps that would be shorter than a second are one: they do not tell the day.
        if (this.span !== 'minutes' || stepSeconds > 1) this.#day = stepSeconds * spans[this.span].perDay;
        for (const button of this.choice.children) {
            const { steps, perDay } = spans[button.dataset.value];
            if (!this.#day && button.dataset.value !== this.span) continue;
            const step = button.dataset.value === this.span ? stepSeconds : Math.max(1, Math.floor(this.#day / perDay));
            button.textContent = plainSpan(step * steps * 1000);
            button.title = `Steps of ${plainSpan(step * 1000)}`;
        }
    }

    #isShown = leadSeconds => !this.#hidden.has(leadSeconds);

    redraw() {
        if (!this.#fan || !this.canvas.offsetParent) return;
        const fan = this.#fan;
        this.#scale = fanScale(fan, this.#isShown);
        drawFan(this.canvas, fan, {
            scale: this.#scale, hover: this.#hover, isShown: this.#isShown, format: value => textIn(fan.unit, value),
        });
        this.#read();
    }

    // MARK: in words

    /** The directions that something is to be said of. */
    get #told() {
        const told = this.#fan.directions.filter(direction => !isNothing(direction));
        return told.length ? told : this.#fan.directions.slice(0, 1);
    }

    /** What was forecast before: shown or not, as is chosen. */
    #tellEarlier() {
        const leads = [...new Set(this.#fan.directions.flatMap(direction => direction.earlier.map(early => early.leadSeconds)))];
        const known = [...this.legend.querySelectorAll('button')].map(button => Number(button.dataset.value));
        if (known.length === leads.length && known.every((lead, index) => lead === leads[index])) return;
        const choice = h('span', { class: 'earlier' });
        toggles(choice, leads.map((lead, index) => [String(lead), `${plainSpan(lead * 1000)} before`]),
            value => this.#isShown(Number(value)), value => {
                if (!this.#hidden.delete(Number(value))) this.#hidden.add(Number(value));
                this.redraw();
            });
        [...choice.children].forEach((button, index) => button.classList.add(index ? 'staffs' : 'veil'));
        this.legend.replaceChildren(...(leads.length ? [h('span', { class: 'quiet' }, 'forecast'), choice] : []));
    }

    #tellWords() {
        const fan = this.#fan;
        const stepText = plainSpan(fan.step);
        const parts = this.#told.map(direction => {
            const lines = [];
            const reason = direction.abstention ?? 'no reason is given';
            if (!direction.quantiles) lines.push(h('p', { class: 'abstention' }, `No forecast: ${reason}.`));
            const steps = `${direction.measured} of ${direction.steps} steps of ${stepText}`;
            lines.push(h('p', {}, direction.basis ? `By ${steps}: ${direction.basis}.` : `${steps} were measured.`));
            if (direction.errorAgainstNaive !== undefined) {
                const naive = direction.samplesPerDay > 0 ? 'the day before' : 'the last value';
                const error = direction.errorAgainstNaive.toFixed(2);
                lines.push(h('p', {}, `In the backtest its error was ${error} of what repeating ${naive} has.`));
            }
            for (const score of direction.accuracy) lines.push(h('p', { class: 'score' }, scoreWords(score)));
            return h('div', {}, direction.direction && this.#told.length > 1 ? h('h4', {}, wordsOf(direction.direction)) : null, ...lines);
        });
        if (this.#told.every(isNothing)) parts.unshift(h('p', {}, 'Nothing came, and nothing is expected.'));
        else if (this.#told.length < fan.directions.length) {
            const silent = fan.directions.filter(isNothing).map(direction => wordsOf(direction.direction));
            parts.push(h('p', {}, `Nothing ${silent.join(' or ')}, and none is expected.`));
        }
        this.words.replaceChildren(...parts);
    }

    /** The numbers under the pointer, or of the next step. */
    #read() {
        const fan = this.#fan;
        const place = this.#hover ?? (fan.ahead ? 0 : -1);
        const at = fan.now + place * fan.step;
        const told = this.#told;
        const rows = place < 0 ? this.#readPast(told, place) : this.#readFuture(told, place);
        const far = plainSpan(Math.abs(place < 0 ? -place : place + 1) * fan.step);
        const title = place < 0 ? `${when(at)}, ${far} ago` : `${when(at)}, up to ${far} ahead`;
        const heads = told.map(({ direction }) => h('th', { scope: 'col' }, direction ? wordsOf(direction) : ''));
        const body = rows.map(([name, ...values]) => h('tr', {}, h('th', { scope: 'row' }, name), ...values.map(text => h('td', {}, text))));
        this.reading.replaceChildren(
            h('caption', {}, title), h('thead', {}, h('tr', {}, h('td'), ...heads)), h('tbody', {}, ...body));
        const spoken = rows.map(([name, ...values]) => `${name} ${values.join(' and ')}`).slice(0, 6).join(', ');
        this.canvas.setAttribute('aria-label', `Forecast of ${this.name}`);
        for (const [name, value] of [['valuemin', -fan.behind], ['valuemax', Math.max(0, fan.ahead - 1)], ['valuenow', place]]) {
            this.canvas.setAttribute(`aria-${name}`, value);
        }
        this.canvas.setAttribute('aria-valuetext', `${title}: ${spoken}`);
    }

    #readFuture(told, place) {
        const { unit } = this.#fan;
        const row = direction => direction.quantiles?.[place];
        const middle = told.map(direction => (row(direction) ? textIn(unit, row(direction)[5]) : 'no forecast'));
        const ranges = bands.map(([low, high]) => [
            `${Math.round((this.levels[high] - this.levels[low]) * 100)} %`,
            ...told.map(direction => (row(direction) ? rangeIn(unit, row(direction)[low], row(direction)[high]) : '')),
        ]);
        return [['median', ...middle], ...ranges];
    }

    #readPast(told, place) {
        const { unit } = this.#fan;
        const was = told.map(({ past }) => past[past.length + place] ?? null);
        const rows = [['was', ...was.map(value => (value === null ? 'not measured' : textIn(unit, value)))]];
        const leads = [...new Set(told.flatMap(direction => direction.earlier.map(early => early.leadSeconds)))];
        for (const lead of leads) {
            const found = told.map(direction =>
                direction.earlier.find(early => early.leadSeconds === lead)?.bands.find(band => band.stepsAgo === -place));
            const before = `${plainSpan(lead * 1000)} before`;
            if (!found.some(Boolean)) continue;
            rows.push([before, ...found.map(band => (band ? textIn(unit, band.median) : '–'))]);
            rows.push(['90 % of that', ...found.map(band => (band ? rangeIn(unit, band.low, band.high) : '–'))]);
        }
        while (rows.length < bands.length + 1) rows.push(['\u00a0', ...told.map(() => '')]);
        return rows;
    }

    // MARK: pointing

    #point(event) {
        if (!this.#fan) return;
        const box = this.canvas.getBoundingClientRect();
        const { behind, ahead } = this.#fan;
        this.#pointAt(Math.floor((event.clientX - box.left) / box.width * (behind + ahead)) - behind);
    }

    #pointAt(place) {
        if (place === this.#hover) return;
        const { behind, ahead } = this.#fan ?? { behind: 0, ahead: 1 };
        this.#hover = place === null ? null : Math.max(-behind, Math.min(ahead - 1, place));
        this.redraw();
    }

    /** The arrow keys go from step to step, with Shift ten at a time. */
    #key(event) {
        if (!this.#fan) return;
        const by = event.shiftKey ? 10 : 1;
        const moves = { ArrowLeft: -by, ArrowRight: by, ArrowDown: -by, ArrowUp: by, PageDown: -12, PageUp: 12, Home: -1e6, End: 1e6 };
        if (event.key === 'Escape') this.#pointAt(null);
        else if (moves[event.key]) this.#pointAt((this.#hover ?? -1) + moves[event.key]);
        else return;
        event.preventDefault();
    }
}

export const wordsOf = direction => direction.replaceAll('-', ' ');

const naives = {
    'day-before': 'the day before', 'last-value': 'the last value', either: 'the day before (until there was one the last value)',
};

/** How forecasts of one lead did. */
function scoreWords(score) {
    const error = score.errorAgainstNaive;
    const naive = error === undefined ? '' : `, error ${error.toFixed(2)} of repeating ${naives[score.naive ?? 'day-before']}`;
    const within = `${percent(score.within90)} of ${score.count} within the 90 % band`.replaceAll(' %', '\u00a0%');
    return `Lately, ${plainSpan(score.leadSeconds * 1000)} ahead: ${within}${naive}.`;
}
