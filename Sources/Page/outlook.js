// The view of what is expected: all traffic, the host itself or any series that is watched, and how well forecasts of them did.
import { Latest } from './api.js';
import { byId, h, toggles } from './dom.js';
import { Forecast } from './forecast.js';
import { count, percent, plainSpan, textIn } from './format.js';
import { Profile } from './profile.js';

const every = 30000;
/** Series that are no thing of the map. */
export const gauges = [
    ['total', 'All traffic'], ['cpu', 'CPU'], ['memory', 'Memory'], ['disk', 'Disks'], ['space', 'Disk space'], ['flows', 'Flows'],
];
/** Of the 90 % band: a share of what came in between is called good, if there were enough to tell. */
const [good, enough] = [[0.85, 0.95], 50];

export class OutlookView {
    #place = byId('forecast');
    #asked = new Latest();
    #timer = null;
    #key = 'total';
    #measure = 'bits';

    constructor() {
        const choice = h('div', { class: 'choice', role: 'group', 'aria-label': 'Forecast of' });
        this.showGauges = toggles(choice, gauges, value => value === this.#key, value => { location.hash = `#forecast&key=${value}`; });
        this.measures = h('div', { class: 'choice', role: 'group', 'aria-label': 'Measure' });
        toggles(this.measures, [['bits', 'Bits'], ['packets', 'Packets']], value => value === this.#measure, value => {
            this.#measure = this.forecast.measure = value;
            this.profile.show(this.#key, value);
        });
        this.title = h('h2', {});
        this.forecast = null;
        this.profile = new Profile();
        this.large = h('div', { class: 'outlook' });
        this.scores = h('div', {});
        this.#place.append(h('div', { class: 'controls' }, choice, this.measures),
            h('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Forecast' }, this.large, this.scores));
    }

    start(key) {
        this.#key = key || 'total';
        this.showGauges();
        this.measures.hidden = this.#key !== 'total' && gauges.some(([key]) => key === this.#key);
        if (this.forecast?.key === this.#key) this.forecast.ask();
        else this.#open();
        this.profile.show(this.#key, this.#measure);
        this.#ask();
        this.#timer ??= setInterval(() => { if (!document.hidden) this.#ask(); }, every);
    }

    stop() {
        clearInterval(this.#timer);
        this.#timer = null;
        this.#asked.cancel();
    }

    #open() {
        const gauge = gauges.find(([key]) => key === this.#key)?.[1];
        this.title.textContent = gauge ?? this.#key;
        this.forecast = new Forecast(this.#key, name => { this.title.textContent = gauge ?? name; });
        this.forecast.measure = this.#measure;
        this.large.replaceChildren(this.title, this.forecast.element, this.profile.element);
    }

    async #ask() {
        try {
            const answer = await this.#asked.get('forecast/accuracy', { top: 40 });
            if (answer) this.#show(answer);
        } catch (failure) {
            this.scores.replaceChildren(h('p', { class: 'said' }, failure.message));
        }
    }

    #show(answer) {
        // The keyboard's place is not taken away.
        if (this.scores.contains(document.activeElement)) return;
        const heads = ['Ahead', 'Times', 'Error', 'Of naive', 'In 90 %', 'In 60 %', 'Over 95 %'];
        const rows = answer.series.flatMap(series => series.scores.map((score, index) => this.#row(series, score, index)));
        const refused = answer.refused ? `; no room for ${count(answer.refused)}` : '';
        const naive = new Set(answer.series.flatMap(series => series.scores.map(score => score.naive ?? 'day-before')));
        const repeats = naive.size === 1 && naive.has('last-value') ? 'the last value, until there is a day before'
            : `the day before${naive.size > 1 || naive.has('either') ? ', and until there was one the last value' : ''}`;
        const foot = `The last seven days; naive repeats ${repeats}. ${count(answer.watched)} series are watched, at most `
            + `${count(answer.limit)}${refused}; ${count(answer.scored)} have scores.`;
        const head = h('tr', {}, h('th', { scope: 'col' }, 'Series'), ...heads.map(text => h('th', { scope: 'col', class: 'numeric' }, text)));
        const table = h('table', { class: 'scores' }, h('thead', {}, head), h('tbody', {}, ...rows));
        this.scores.replaceChildren(h('h3', {}, 'How forecasts did'),
            rows.length ? h('div', { class: 'wide-table' }, table) : h('p', {}, 'No forecast was held against what came yet.'),
            h('p', { class: 'quiet' }, foot));
    }

    #row(series, score, index) {
        const link = h('a', { href: `#forecast&key=${encodeURIComponent(series.key)}` }, series.name);
        const isGood = score.within90 >= good[0] && score.within90 <= good[1];
        const verdict = score.count < enough || !score.meanError ? 'quiet' : isGood ? 'good' : 'poor';
        const naive = score.errorAgainstNaive;
        const cell = (text, kind = '') => h('td', { class: `numeric ${kind}` }, text);
        return h('tr', { class: index ? '' : 'first' }, h('th', { scope: 'row' }, index ? h('span', { class: 'unseen' }, series.name) : link),
            cell(plainSpan(score.leadSeconds * 1000)), cell(count(score.count)), cell(textIn(series.unit, score.meanError)),
            cell(naive === undefined ? '–' : naive.toFixed(2), naive > 1 ? 'poor' : ''), cell(percent(score.within90), verdict),
            cell(percent(score.within60)), cell(percent(score.above95)));
    }
}
