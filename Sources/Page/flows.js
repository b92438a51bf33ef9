// The flow table, with the agent's own filter language. It asks again every two seconds while it is looked at.
import { Latest } from './api.js';
import { byId, h, measured } from './dom.js';
import { bitRateParts, byteParts, count, microsecondParts, moment, packetRateParts, place, span, when } from './format.js';
import { filterField } from './filter.js';

const every = 2000;
const more = 100;
const measures = [
    ['rate', 'Rate'], ['pps', 'Packets/s'], ['bytes', 'Bytes'], ['rtt', 'Handshake'], ['retransmissions', 'Sent again'],
    ['last', 'Last seen'],
];

export class FlowTable {
    #place = byId('flows');
    #asked = new Latest();
    #timer = null;
    #sort = 'rate';
    #reverse = false;
    #top = more;
    #open = new Set();
    #rows = new Map();

    constructor() {
        this.field = filterField(() => this.#changed());
        this.count = h('p', { class: 'quiet', role: 'status' });
        this.pause = h('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.#toggle() }, 'Hold still');
        this.heads = measures.map(([measure, text]) =>
            h('th', { scope: 'col', class: 'numeric' },
                h('button', { type: 'button', 'data-measure': measure, onclick: () => this.#order(measure) }, text)));
        this.body = h('tbody', {});
        this.moreButton = h('button', { type: 'button', hidden: true, onclick: () => { this.#top += more; this.#ask(); } }, 'Show more');
        this.#place.append(
            h('div', { class: 'controls' }, this.field.element, h('div', { class: 'beside' }, this.count, this.pause)),
            h('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Flow table' },
                h('table', { class: 'flows' }, h('caption', { class: 'unseen' }, 'Flows'),
                    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Flow'), h('th', { scope: 'col' }, 'Seen on'), ...this.heads)),
                    this.body),
                h('p', { class: 'after' }, this.moreButton)));
        this.#showOrder();
    }

    /** @param filter from the address. */
    start(filter) {
        if (filter !== null && filter !== undefined) this.field.value = filter;
        this.#ask();
        this.#timer ??= setInterval(() => { if (!document.hidden && !this.#isHeld) this.#ask(); }, every);
    }

    stop() {
        clearInterval(this.#timer);
        this.#timer = null;
        this.#asked.cancel();
    }

    get #isHeld() {
        return this.pause.getAttribute('aria-pressed') === 'true';
    }

    #toggle() {
        this.pause.setAttribute('aria-pressed', String(!this.#isHeld));
        if (!this.#isHeld) this.#ask();
    }

    #changed() {
        this.#top = more;
        const filter = this.field.value;
        history.replaceState(null, '', filter ? `#flows&filter=${encodeURIComponent(filter)}` : '#flows');
        this.#ask();
    }

    #order(measure) {
        if (measure === this.#sort) this.#reverse = !this.#reverse;
        else [this.#sort, this.#reverse] = [measure, false];
        this.#showOrder();
        this.#ask();
    }

    #showOrder() {
        this.heads.forEach((head, index) => {
            const isChosen = measures[index][0] === this.#sort;
            if (isChosen) head.setAttribute('aria-sort', this.#reverse ? 'ascending' : 'descending');
            else head.removeAttribute('aria-sort');
        });
    }

    async #ask() {
        try {
            const answer = await this.#asked.get('flows', {
                filter: this.field.value, sort: this.#sort, reverse: this.#reverse ? 1 : 0, top: this.#top,
            });
            if (!answer) return;
            this.field.failed(null);
            this.#show(answer);
        } catch (failure) {
            this.field.failed(failure);
        }
    }

    #show(answer) {
        const isPart = answer.matched !== answer.known;
        this.count.textContent = `${isPart ? `${count(answer.matched)} of ` : ''}${count(answer.known)} flows`;
        this.moreButton.hidden = answer.flows.length >= answer.matched;
        const most = Math.max(1, ...answer.flows.map(flow => flow.bitsPerSecond ?? 0));
        const rows = new Map();
        for (const flow of answer.flows) {
            const key = rowKey(flow);
            const row = this.#rows.get(key) ?? this.#makeRow(key);
            row.fill(flow, most, answer.at);
            rows.set(key, row);
        }
        const wanted = [...rows.values()].flatMap(row => (this.#open.has(row.key) ? [row.element, row.more] : [row.element]));
        const held = document.activeElement;
        // Rows that stay keep their elements, so the keyboard's place is not lost.
        wanted.forEach((element, index) => {
            const there = this.body.children[index];
            if (there !== element) this.body.insertBefore(element, there ?? null);
        });
        while (this.body.children.length > wanted.length) this.body.lastElementChild.remove();
        if (held !== document.activeElement && this.body.contains(held)) held.focus();
        if (!answer.flows.length) {
            const words = this.field.value ? 'No flow fits this filter.' : 'No flows yet.';
            this.body.replaceChildren(h('tr', {}, h('td', { colspan: 8, class: 'quiet empty' }, words)));
        }
        this.#rows = rows;
    }

    #makeRow(key) {
        const button = h('button', { type: 'button', class: 'plain ends', 'aria-expanded': 'false' });
        const cells = measures.map(([measure, text]) => h('td', { class: `numeric ${measure}`, title: text }));
        const seen = h('td', { class: 'seen' });
        const element = h('tr', {}, h('td', {}, button), seen, ...cells);
        const more = h('tr', { class: 'more' }, h('td', { colspan: 8 }));
        const row = { key, element, more, flow: null };
        button.addEventListener('click', () => {
            const opens = !this.#open.delete(key);
            if (opens) {
                this.#open.add(key);
                element.after(more);
            } else more.remove();
            button.setAttribute('aria-expanded', String(opens));
        });
        row.fill = (flow, most, at) => {
            row.flow = flow;
            fillRow(button, seen, cells, flow, most, at);
            if (this.#open.has(key)) more.firstChild.replaceChildren(details(flow));
        };
        button.addEventListener('click', () => more.firstChild.replaceChildren(details(row.flow)));
        return row;
    }
}

const rowKey = flow => JSON.stringify([flow.interfaceID, flow.direction, flow.vlan, flow.innerVLAN, flow.vni, flow.tuple, flow.inner]);

function fillRow(button, seen, cells, flow, most, at) {
    const tuple = flow.inner ?? flow.tuple;
    const about = [tuple.protocol ?? tuple.etherType, flow.application, flow.vni === undefined ? null : `vni ${flow.vni}`];
    button.replaceChildren(
        h('span', { class: 'from' }, place(tuple.source, tuple.sourcePort)), h('span', { class: 'arrow', 'aria-label': 'to' }, '→'),
        h('span', { class: 'to' }, place(tuple.destination, tuple.destinationPort)),
        h('span', { class: 'quiet' }, about.filter(Boolean).join(' · ')));
    const prefix = flow.namespace ? `${flow.namespace.replace(/^netns /, '')}:` : '';
    seen.replaceChildren(h('span', {}, prefix + flow.interface), ' ', h('span', { class: 'quiet' }, flow.direction));
    const bar = h('span', { class: 'bar' });
    bar.style.width = `${Math.max(0, 100 * (flow.bitsPerSecond ?? 0) / most)}%`;
    const none = () => h('span', { class: 'quiet' }, '–');
    const handshake = flow.tcp?.handshakeMicroseconds;
    const values = [
        flow.bitsPerSecond === undefined ? [none()] : [bar, measured(bitRateParts(flow.bitsPerSecond))],
        flow.packetsPerSecond === undefined ? [none()] : [measured(packetRateParts(flow.packetsPerSecond))],
        [measured(byteParts(flow.totals.wireBytes))],
        handshake ? [measured(microsecondParts(handshake))] : [none()],
        flow.tcp ? [count(flow.tcp.retransmitted)] : [none()],
        [ago(flow.last, at)],
    ];
    values.forEach((value, index) => cells[index].replaceChildren(...value));
}

function ago(last, at) {
    const passed = moment(at) - moment(last);
    return passed < 2000 ? 'now' : `${span(passed)} ago`;
}

function details(flow) {
    const outer = flow.tuple;
    const facts = [
        ['application', flow.application && `${flow.application} by ${flow.applicationBasis}`], ['server', flow.serverName],
        ['first seen', when(flow.first)], ['packets', count(flow.totals.wirePackets)], ['bytes', count(flow.totals.wireBytes)],
        ['packet sizes', `${flow.smallestPacket} to ${flow.largestPacket} B`],
        ['TTL', flow.ttlMinimum === flow.ttlMaximum ? flow.ttlMinimum : `${flow.ttlMinimum} to ${flow.ttlMaximum}`],
        ['DSCP', flow.dscp], ['ECN', `${flow.ecn.join(', ')}${flow.congestionMarks ? `, ${count(flow.congestionMarks)} marked` : ''}`],
        ['VLAN', [flow.vlan, flow.innerVLAN].filter(v => v !== undefined).join(' in ')], ['owner', flow.owner],
        ['TCP flags', flow.tcp?.flags.join(', ')], ['out of order', flow.tcp ? count(flow.tcp.outOfOrder) : null],
        ['zero windows', flow.tcp ? count(flow.tcp.zeroWindows) : null],
        ['underlay', flow.inner ? `${outer.source} → ${outer.destination}` : null],
        ['notes', flow.notes.join(', ')],
    ].filter(([, value]) => value !== null && value !== undefined && value !== '');
    return h('dl', { class: 'facts wide' }, ...facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, String(value)))));
}
