// The line at the top that says how the agent is: alive or not, its epoch, whether its books close, and what it warns of.
import { get } from './api.js';
import { byId, h } from './dom.js';
import { count, span, when } from './format.js';

const every = 5000;

export class Status {
    #place = byId('status');
    #connection = 'away';
    #epoch = null;
    #report = null;
    #failure = null;

    constructor() {
        this.dot = h('span', { class: 'dot', 'aria-hidden': 'true' });
        this.state = h('span', { class: 'state', role: 'status' });
        this.epoch = h('span', { class: 'epoch' });
        this.books = h('span', { class: 'books' });
        this.warnings = h('ul', {});
        this.summary = h('summary', {});
        this.more = h('details', { class: 'warnings', hidden: true }, this.summary, this.warnings);
        this.#place.append(h('span', { class: 'live' }, this.dot, this.state), this.epoch, this.books, this.more);
        this.#ask();
        setInterval(() => { if (!document.hidden) this.#ask(); }, every);
    }

    connection(state, failure) {
        this.#connection = state;
        this.#failure = failure;
        this.#show();
    }

    /** @param at null, or the moment of the past that is shown. @param remark of how well it is known, or null. */
    setEpoch(epoch, at, remark = null) {
        this.#epoch = epoch;
        this.#place.classList.toggle('past', at !== null);
        const [word, number] = at === null ? ['epoch ', count(epoch)] : ['map of ', when(at)];
        this.epoch.replaceChildren(h('span', { class: 'word' }, word), h('span', { class: 'number' }, number),
            ...(remark ? [h('span', { class: 'word' }, ` · ${remark}`)] : []));
    }

    async #ask() {
        try {
            this.#report = await get('status');
        } catch (failure) {
            this.#failure = failure;
        }
        this.#show();
    }

    #show() {
        const isLive = this.#connection === 'live';
        this.#place.dataset.state = isLive ? 'live' : 'away';
        this.state.textContent = isLive ? 'live' : 'away';
        this.#place.title = this.#failure && !isLive ? this.#failure.message : '';
        const report = this.#report;
        if (!report) return;
        const doubt = report.interfacesInDoubt;
        this.books.textContent = doubt.length ? `${doubt.length} in doubt` : 'books closed';
        this.books.classList.toggle('doubt', doubt.length > 0);
        const closed = `Every packet on ${report.interfaces} interfaces is accounted for`;
        this.books.title = doubt.length ? `The books of ${doubt.join(', ')} do not close` : closed;
        this.state.title = `nilo ${report.version}, up ${span(report.uptimeSeconds * 1000)}, ${count(report.flows)} flows`;
        this.more.hidden = !report.warnings.length;
        this.summary.textContent = `${report.warnings.length} ${report.warnings.length === 1 ? 'warning' : 'warnings'}`;
        this.warnings.replaceChildren(...report.warnings.map(warning => h('li', {}, warning)));
    }
}
