// Where the page begins: makes the parts, ties them together, and goes from view to view.
import { get } from './api.js';
import { byId, h, toggles } from './dom.js';
import { follow } from './events.js';
import { startFind } from './find.js';
import { FlowTable } from './flows.js';
import { layerNames, moment, stamp, when } from './format.js';
import { goOn, Incidents, IncidentView } from './incidents.js';
import { pageKeys } from './keyboard.js';
import { layers } from './layers.js';
import { colourNames } from './level.js';
import { MapView } from './map.js';
import { Model } from './model.js';
import { OutlookView } from './outlook.js';
import { Panel } from './panel.js';
import { SeriesView } from './series.js';
import { Status } from './status.js';
import { startTheme } from './theme.js';
import { Timeline } from './timeline.js';
import { startToken } from './token.js';
import { speak } from './words.js';

startToken();
startTheme();

const model = new Model();
const status = new Status();
const map = new MapView(model);
const timeline = new Timeline();
const panel = new Panel(model, map, timeline);
const flows = new FlowTable();
const series = new SeriesView();
const incidents = new Incidents();
const views = { map: null, flows, series, forecast: new OutlookView(), incidents: new IncidentView(incidents, goTo, showThen) };

// MARK: views, by the address's fragment: #map, #flows&filter=…, #series, #forecast&key=…, #incidents

function show() {
    const fields = new URLSearchParams(location.hash.slice(1));
    const name = Object.keys(views).find(view => fields.has(view)) ?? 'map';
    for (const [view, part] of Object.entries(views)) {
        byId(view).hidden = view !== name;
        const link = document.querySelector(`nav [data-view=${view}]`);
        if (view === name) link.setAttribute('aria-current', 'page');
        else link.removeAttribute('aria-current');
        if (view !== name) part?.stop();
    }
    document.body.dataset.view = name;
    document.title = name === 'map' ? 'Nilometer' : `${name[0].toUpperCase()}${name.slice(1)} · Nilometer`;
    views[name]?.start(fields.get('filter') ?? fields.get('key'));
}
addEventListener('hashchange', show);

/** From a list elsewhere to a thing on the map. @returns whether it is there. */
function goTo(key) {
    if (!model.get(key)) return false;
    location.hash = '#map';
    // It has its size when it is shown.
    addEventListener('hashchange', () => requestAnimationFrame(() => map.reveal(key)), { once: true });
    return true;
}

function showThen(at) {
    location.hash = '#map';
    timeline.goTo(at);
}

incidents.addEventListener('change', () => {
    const [badge, count] = [byId('incident-badge'), incidents.going.length];
    badge.hidden = !count;
    badge.replaceChildren(h('span', { 'aria-hidden': 'true' }, count), h('span', { class: 'unseen' }, ` ${goOn(count)}`));
    badge.title = goOn(count);
    timeline.setIncidents(incidents.list);
    panel.setIncidents(incidents.list);
});

// MARK: the map's controls

toggles(byId('layers'), layers.map(layer => [layer, layerNames[layer]]), layer => map.layers.has(layer), layer => {
    if (!map.layers.delete(layer)) map.layers.add(layer);
    map.rearrange();
});
const arrangements = [['levels', 'Levels'], ['free', 'Free']];
const showArrangement = toggles(byId('arrangement'), arrangements, value => map.arrangement === value, value => {
    map.arrangement = value;
    map.rearrange();
});
map.addEventListener('arrangement', showArrangement);
byId('network').addEventListener('change', event => {
    map.network = event.target.value;
    map.rearrange();
});
const keys = [['under 50 %', colourNames[2]], ['to 80 %', 'silt'], ['over', 'flood']];
byId('legend').append(h('span', {}, 'of capacity'), ...keys.map(([text, name]) => h('span', { class: `key ${name}` }, text)));
map.addEventListener('select', event => panel.show(event.detail));
map.addEventListener('spoken', event => speak(model, event.detail));
startFind(model, key => map.reveal(key));
pageKeys();

async function loadNetworks() {
    const { networks } = await get('networks').catch(() => ({ networks: [] }));
    const text = network => (network.vni === undefined ? network.name : `${network.name} · VNI ${network.vni}`);
    byId('network').replaceChildren(h('option', { value: '' }, 'All networks'), ...networks.map(network =>
        h('option', { value: network.key, selected: network.key === map.network }, text(network))));
    series.setNetworks(networks);
}

// MARK: now, then, and the difference

/** One question at a time; while one is under way only the newest waits. */
let asking = false;
let next = null;
async function load(question) {
    if (asking) return void (next = question);
    asking = timeline.busy = true;
    try {
        await question();
    } catch (failure) {
        const notice = byId('map-notice');
        notice.hidden = false;
        notice.textContent = `${failure.message}${failure.hint ? ` — ${failure.hint}` : ''}`;
    }
    asking = timeline.busy = false;
    const waiting = next;
    next = null;
    if (waiting) load(waiting);
}

/** What is to be said of a map that is not that of its moment; null for nothing. */
function unseen({ gap, historyBegins }) {
    if (gap) return `nobody looked from ${when(moment(gap.from))}${gap.to ? ` to ${when(moment(gap.to))}` : ' on'}`;
    return historyBegins ? `the history begins at ${when(moment(historyBegins))}` : null;
}

let isLive = false;
async function showMoment(at) {
    // Asked for before the slider was moved.
    if (at === null && timeline.at !== null) return;
    const answer = await get('topology', at === null ? {} : { at: stamp(at) });
    isLive = at === null && timeline.at === null && timeline.since === null;
    panel.compare(null);
    model.replace(answer);
    showTotals();
    status.setEpoch(answer.epoch, at, unseen(answer));
}

async function showDifference({ from, to }) {
    isLive = false;
    const [answer, diff] = await Promise.all([
        get('topology', { at: stamp(to) }), get('topology/diff', { from: stamp(from), to: stamp(to) }),
    ]);
    model.replace(answer);
    model.compare(diff);
    panel.compare(diff);
    showTotals();
    status.setEpoch(answer.epoch, to, unseen(answer));
}

/** What all communication amounts to. */
function showTotals() {
    let total = 0;
    for (const link of model.links.values()) if (link.kind === 'talk') total += link.load?.bitsPerSecond ?? 0;
    map.gauge.setTotal(total);
}

timeline.addEventListener('at', event => load(() => showMoment(event.detail)));
timeline.addEventListener('compare', event => { if (event.detail) load(() => showDifference(event.detail)); });
timeline.addEventListener('history', event => panel.setHistory(event.detail));

function took(name, event) {
    if (!isLive) return;
    if (name === 'changes') {
        model.apply(event);
        panel.happened(event.changes);
    } else if (name === 'rates') {
        model.setLoads(event);
        map.gauge.setTotal(event.total.bitsPerSecond);
        status.setEpoch(event.epoch, null);
    }
}

show();
loadNetworks();
timeline.load();
follow('events', took, (state, failure) => {
    status.connection(state, failure);
    // What happened while nobody listened is in the whole answer.
    if (state === 'live' && timeline.at === null && timeline.since === null) load(() => showMoment(null));
    else if (!model.epoch && failure) load(() => { throw failure; });
});
