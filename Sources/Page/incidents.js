// What was unusual: asked for every few seconds, told to the other parts, and listed. Only read here.
import { get } from './api.js';
import { byId, h } from './dom.js';
import { bitRate, count, moment, percent, rangeIn, span, stamp, textIn, when } from './format.js';

/** Milliseconds. A stream would take one of the six connections that a browser has to an address, for each tab that is open. */
const every = 10000;
const remembered = 86400000;
/** Seconds. */
const day = 86400;
const shownMembers = 6;
const shownContributors = 5;

/** What a series is of, out of its key; null for what is no series. */
export const subjectOf = key => key.match(/^(?:bytes|packets|level)[<>](.+)$/s)?.[1] ?? null;
/** Its first anomaly in words. */
export const headline = ({ members: [first, ...rest] }) =>
    (first ? `${first.kind.replaceAll('-', ' ')}: ${first.name}${rest.length ? `, and ${rest.length} more` : ''}` : 'unknown');
/** The time that it took, or takes. */
export function lasted({ start, end }) {
    if (!end) return `since ${when(start)}, it goes on`;
    return end === start ? `at ${when(start)}` : `${when(start)} to ${when(end)} (${span(moment(end) - moment(start))})`;
}

export const goOn = count => `${count} ${count === 1 ? 'goes' : 'go'} on`;

/** Events: `change` when what is known has changed. */
export class Incidents extends EventTarget {
    /** The newest first. */
    list = [];
    report = null;
    failure = null;
    #text = '';

    constructor() {
        super();
        this.#ask();
    }

    get going() {
        return this.list.filter(incident => !incident.end);
    }

    async #ask() {
        let again = every;
        try {
            if (!document.hidden || !this.report) {
                const report = await get('anomalies', { since: stamp(Date.now() - remembered) });
                this.failure = null;
                this.#take(report);
            }
        } catch (failure) {
            // An agent that makes no forecasts has none: it takes another configuration, and so another agent.
            if (failure.status === 404) again = 0;
            if (this.failure?.message !== failure.message) {
                this.failure = failure;
                this.dispatchEvent(new Event('change'));
            }
        }
        if (again) setTimeout(() => this.#ask(), again);
    }

    #take(report) {
        const { at, since, ...rest } = report;
        const text = JSON.stringify(rest);
        if (text === this.#text) return;
        this.#text = text;
        this.report = report;
        this.list = report.incidents;
        this.dispatchEvent(new Event('change'));
    }
}

export class IncidentView {
    #place = byId('incidents');
    #cards = new Map();

    /** @param goTo shows a thing on the map by its key; false where it is not there. @param showMoment shows the map of a moment. */
    constructor(incidents, goTo, showMoment) {
        Object.assign(this, { incidents, goTo, showMoment });
        this.said = h('p', { class: 'quiet', role: 'status' });
        this.list = h('div', { class: 'incident-list' });
        this.silences = h('ul', { class: 'quiet' });
        const command = text => h('code', {}, `nilo anomalies ${text}`);
        const how = h('p', { class: 'quiet' }, 'Here they are only read. On the host ', command('ack N'), ' says that one was seen, ',
            command('ack N --false'), ' that it was none, and ', command("silence '*PATTERN*' --for 8h"), ' that work is planned.');
        this.#place.append(h('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Incidents' },
            h('div', { class: 'incident-head' }, h('h2', {}, 'Incidents of the last 24 hours'), this.said, how, this.silences), this.list));
        incidents.addEventListener('change', () => this.#show());
        this.#show();
    }

    start() {
        this.#show();
    }

    stop() {}

    #show() {
        const { report, failure, list } = this.incidents;
        if (failure && !report) {
            this.said.textContent = `${failure.message}${failure.hint ? ` — ${failure.hint}` : ''}`;
            return;
        }
        if (!report) return;
        const { recent } = report;
        // Of less than a day nothing is said about one.
        const rates = recent && recent.seconds < day ? `${recent.incidents} so far, ${recent.falseAlarms} of them called false alarms`
            : `${report.incidentsPerDay.toFixed(1)} a day, ${report.falseAlarmsPerDay.toFixed(1)} of them called false alarms`;
        const silenced = report.silenced ? `; ${report.silenced} ${report.silenced === 1 ? 'anomaly was' : 'anomalies were'} silenced` : '';
        const number = `${list.length} ${list.length === 1 ? 'incident' : 'incidents'}, ${goOn(this.incidents.going.length)}`;
        this.said.textContent = `${list.length ? number : 'Nothing was unusual'}; ${rates}${silenced}.`;
        const silences = report.silences.map(({ pattern, until, names }) =>
            h('li', {}, `Silenced until ${when(until)}: ${pattern}${names?.length ? ` (${names.join(', ')})` : ''}`));
        this.silences.replaceChildren(...silences);
        const cards = new Map();
        for (const incident of list) {
            const text = JSON.stringify(incident);
            const known = this.#cards.get(incident.id);
            cards.set(incident.id, known?.text === text ? known : { text, element: this.#card(incident) });
        }
        const wanted = [...cards.values()].map(card => card.element);
        this.#cards = cards;
        if (wanted.length !== this.list.children.length || wanted.some((element, i) => this.list.children[i] !== element)) {
            this.list.replaceChildren(...wanted);
        }
    }

    #card(incident) {
        const { id, verdict, members, contributors } = incident;
        const state = verdict === 'false-alarm' ? 'a false alarm' : verdict ? 'seen' : incident.end ? '' : 'goes on';
        const more = Math.max(0, members.length - shownMembers) + (incident.more ?? 0);
        const evidence = members.filter(member => member.evidence).slice(0, shownMembers);
        const title = h('h3', { id: `incident-${id}` }, `${headline(incident)} `, h('span', { class: 'quiet' }, `#${id}`),
            state ? h('span', { class: 'state' }, state) : null);
        const then = h('button', { type: 'button', onclick: () => this.showMoment(moment(incident.start)) }, 'Map of then');
        const kind = verdict ? 'judged' : incident.end ? 'over' : 'going';
        return h('article', { class: `incident ${kind}`, 'aria-labelledby': `incident-${id}` },
            h('header', {}, title, then), h('p', { class: 'quiet' }, `${lasted(incident)} · ${unusual(incident)}`),
            this.#members(members.slice(0, shownMembers), incident.end),
            more > 0 ? h('p', { class: 'quiet' }, `and ${more} more series`) : null, ...evidence.map(member => h('p', {}, member.evidence)),
            contributors.length ? this.#contributors(contributors.slice(0, shownContributors)) : null,
            verdict ? null : h('p', { class: 'ack' }, h('code', {}, `nilo anomalies ack ${id}`)));
    }

    #members(members, isOver) {
        const heads = [['What'], ['Series'], ['Was', 'numeric'], ['Expected', 'numeric'], ['', 'strip-cell']];
        const rows = members.map(member => {
            const { expectedLow: low, expectedHigh: high, extreme, unit } = member;
            const isExpected = low !== undefined && high !== undefined;
            return h('tr', {}, h('td', {}, member.kind.replaceAll('-', ' '), member.end && !isOver ? h('span', { class: 'quiet' }, ' (over)') : null),
                h('th', { scope: 'row' }, this.#named(subjectOf(member.key), member.name)),
                h('td', { class: 'numeric was' }, extreme === undefined ? '–' : textIn(unit, extreme)),
                h('td', { class: 'numeric' }, isExpected ? expectedText(unit, low, high) : '–'),
                h('td', { class: 'strip-cell' }, isExpected && extreme !== undefined ? strip(low, high, extreme) : null));
        });
        const head = heads.map(([text, kind = '']) => (text ? h('th', { scope: 'col', class: kind }, text) : h('td', { class: kind })));
        return h('div', { class: 'wide-table' }, h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...rows)));
    }

    #contributors(contributors) {
        return h('div', {}, h('h4', {}, 'What of the traffic changed'), h('ul', { class: 'contributors' }, ...contributors.map(one =>
            h('li', {}, h('span', { class: 'numeric' }, percent(one.share)), h('span', { class: 'quiet' }, one.kind),
                this.#named(one.key, one.name), h('span', { class: 'numeric' }, `${bitRate(one.before)} → ${bitRate(one.during)}`)))));
    }

    /** A name that leads to the thing on the map; where it is not there any more, to its forecast. */
    #named(key, name) {
        if (!key) return name;
        const forecast = `#forecast&key=${encodeURIComponent(key)}`;
        return h('a', { href: forecast, onclick: event => { if (this.goTo(key)) event.preventDefault(); } }, name);
    }
}

/** Beyond once in 10⁴ no model of what is ordinary has seen enough to tell; and no score is certainty. */
const [least, surest] = [4, 0.99];

function unusual({ unlikelihood, probability }) {
    const often = Number((10 ** Math.min(least, unlikelihood)).toPrecision(1));
    const chance = `${unlikelihood > least ? 'less than' : 'about'} once in ${count(often)}`;
    return `by chance ${chance} · score ${Math.min(surest, probability).toFixed(2)}`;
}

/** Nothing that is counted is ever below nothing. */
const expectedText = (unit, low, high) => (high < 1e-3 ? 'nothing' : rangeIn(unit, low, high));

/** What was expected as a band, and what was as a mark, on a line from nothing on. */
function strip(low, high, extreme) {
    const end = Math.max(high, extreme) * 1.05 || 1;
    const at = value => `${Math.max(0, Math.min(100, 100 * value / end))}%`;
    const [band, was] = [h('span', { class: 'band' }), h('span', { class: 'was' })];
    band.style.left = at(low);
    band.style.right = `${100 - Math.max(0, Math.min(99, 100 * high / end))}%`;
    was.style.left = at(extreme);
    return h('span', { class: 'strip', 'aria-hidden': 'true' }, band, was);
}
