// The panel beside the map: what is chosen, in full; the busiest links and latest changes while nothing is; or what a comparison found.
import { byId, h, measured } from './dom.js';
import { bitRate, bitRateParts, moment, when } from './format.js';
import { headline, lasted } from './incidents.js';
import { busier, utilisation } from './level.js';
import { changeRow, linkRow, list, name, pressRow, quiet, sign } from './rows.js';
import { onTheme } from './theme.js';
import { Thing } from './thing.js';

const remembered = 40;
const shownChanges = 14;
const shownLinks = 8;
const shownIncidents = 3;
/** Milliseconds after its end for which an incident is shown here. */
const lately = 3600000;
/** These carry what the links beside them carry. */
const repeating = new Set(['attachment', 'port', 'stack']);

export class Panel {
    #place = byId('panel');
    #key = null;
    #comparison = null;
    #changes = [];
    #incidents = [];
    #thing = null;
    /** The lists that are shown while nothing is chosen. */
    #now = null;

    constructor(model, map, timeline) {
        this.parts = { model, map, timeline };
        model.addEventListener('change', event => this.#modelChanged(event.detail));
        // The free arrangement takes its time: what is to be seen is known when it is done.
        map.addEventListener('scene', () => { if (this.#now) this.#fillBusiest(); });
        onTheme(() => this.#thing?.redraw());
        new ResizeObserver(() => this.#thing?.redraw()).observe(this.#place);
    }

    show(key) {
        this.#key = key;
        this.#fill();
        this.#place.scrollTop = 0;
    }

    /** @param diff of the API, or null when nothing is compared any more. */
    compare(diff) {
        if (!diff && !this.#comparison) return;
        this.#comparison = diff;
        this.#fill();
    }

    setHistory(changes) {
        this.#changes = changes.slice(-remembered).reverse();
        this.#fillChanges();
    }

    happened(changes) {
        this.#changes = [...changes].reverse().concat(this.#changes).slice(0, remembered);
        this.#fillChanges();
    }

    setIncidents(incidents) {
        this.#incidents = incidents;
        this.#fillIncidents();
    }

    #modelChanged(what) {
        if (this.#thing) {
            // What has vanished stays open as it was last known.
            if (!this.parts.model.get(this.#key)) return;
            if (what === 'loads' || !this.#thing.isStale) this.#thing.updateLoad();
            else this.#fill();
        } else if (this.#now) this.#fillBusiest();
        else this.#fill();
    }

    #fill() {
        const { model } = this.parts;
        const forecast = this.#thing?.key === this.#key ? this.#thing.forecast : null;
        this.#thing = this.#now = null;
        const isChosen = Boolean(this.#key && model.get(this.#key));
        this.#place.classList.toggle('chosen', isChosen);
        if (isChosen) {
            this.#thing = new Thing(this.#key, this.parts, forecast);
            this.#place.replaceChildren(...this.#thing.elements);
        } else if (this.#comparison) this.#fillComparison(this.#comparison);
        else this.#fillNow();
    }

    #fillNow() {
        this.#now = { incidents: h('div', { class: 'unusual' }), busiest: list([]), changes: list([]) };
        this.#place.replaceChildren(
            this.#now.incidents, h('h2', {}, 'Busiest links'), this.#now.busiest, h('h2', {}, 'Latest changes'), this.#now.changes);
        this.#fillIncidents();
        this.#fillBusiest();
        this.#fillChanges();
    }

    /** Those that go on, else the latest of the last hour. */
    #fillIncidents() {
        if (!this.#now || this.#now.incidents.contains(document.activeElement)) return;
        const recent = this.#incidents.filter(({ end, verdict }) => !verdict && (!end || Date.now() - moment(end) < lately));
        const going = recent.filter(incident => !incident.end);
        const shown = (going.length ? going : recent).slice(0, shownIncidents);
        const rows = shown.map(incident => h('li', {}, h('a', { class: `row ${incident.end ? '' : 'going'}`, href: '#incidents' },
            name(headline(incident)), quiet(lasted(incident), 'wide'))));
        this.#now.incidents.replaceChildren(...(rows.length ? [h('h2', {}, going.length ? 'Unusual now' : 'Unusual lately'), list(rows)] : []));
    }

    #fillBusiest() {
        const { model, map } = this.parts;
        // The keyboard's place in the list is not taken away.
        if (this.#now.busiest.contains(document.activeElement)) return;
        const links = (map.scene?.links ?? []).map(drawn => drawn.link).filter(link => busier(link.load) > 0 && !repeating.has(link.kind));
        const rank = link => (utilisation(link.load) ?? 0) * 1e10 + busier(link.load);
        const first = links.sort((a, b) => rank(b) - rank(a)).slice(0, shownLinks);
        this.#now.busiest.replaceChildren(...first.map(link => linkRow(map, link, model.title(link.key))));
    }

    #fillChanges() {
        if (!this.#now || this.#now.changes.contains(document.activeElement)) return;
        const rows = this.#changes.slice(0, shownChanges).map(change => changeRow(this.parts.map, change));
        this.#now.changes.replaceChildren(...(rows.length ? rows : [h('li', { class: 'quiet' }, 'Nothing changed in this window.')]));
    }

    #fillComparison({ changes, traffic, from, to }) {
        const { map } = this.parts;
        const parts = [h('h2', {}, 'Compared'), h('p', { class: 'quiet' }, `${when(from)} with ${when(to)}`)];
        for (const [what, title] of [['appeared', 'Appeared'], ['vanished', 'Vanished'], ['changed', 'Changed']]) {
            const found = changes.filter(change => change.change === what);
            if (!found.length) continue;
            const rows = found.slice(0, 60).map(change => changeRow(map, change, true));
            parts.push(h('h3', {}, sign(what), `${title} (${found.length})`), list(rows));
        }
        if (!changes.length) parts.push(h('p', {}, 'The same nodes and links, with the same attributes.'));
        if (traffic.length) {
            const rows = traffic.slice(0, 30).map(shift => pressRow(
                map, shift.key, name(shift.name), measured(bitRateParts(shift.after)), quiet(`before ${bitRate(shift.before)}`, 'wide')));
            parts.push(h('h3', {}, `Traffic beyond noise (${traffic.length})`), list(rows));
        }
        this.#place.replaceChildren(...parts);
    }
}
