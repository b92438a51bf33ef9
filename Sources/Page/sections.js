// The map as a section drawing: every host a block, and in it the levels that a packet goes through, services at the top and uplinks at
// the bottom. It follows from what is there alone, so the same network always looks the same.

import { divide, sharedStart } from './divide.js';

const slot = 54;
const gap = 8;
/** From one host to the next, its inner margin of 44 included. */
const between = 72;
const levelNames = ['services', 'addresses', 'interfaces', 'ports', 'bridges', 'overlays', 'uplinks'];
const levelHeights = [46, 44, 62, 50, 54, 52, 30];
const overlays = new Set(['vxlan', 'vlan', 'gre', 'geneve', 'wireguard', 'ipip', 'sit', 'tun', 'macsec']);
const uplinks = new Set(['physical', 'bond', 'team']);

function levelOf(entity, inBase) {
    if (entity.kind === 'service' || entity.kind === 'application') return 0;
    if (entity.kind !== 'interface') return 1;
    const device = entity.attributes.device;
    if (uplinks.has(device)) return 6;
    if (!inBase) return 2;
    return device === 'bridge' ? 4 : overlays.has(device) ? 5 : 3;
}

const byName = (a, b) => a.name.localeCompare(b.name, 'en', { numeric: true });

/** Moves what stands closer than `least` apart, keeping the order and the middle. */
function spread(items, least) {
    items.sort((a, b) => a.x - b.x);
    for (let round = 0; round < 30; round++) {
        let moved = false;
        for (let i = 1; i < items.length; i++) {
            const lack = least - (items[i].x - items[i - 1].x);
            if (lack > 0.5) {
                items[i].x += lack / 2;
                items[i - 1].x -= lack / 2;
                moved = true;
            }
        }
        if (!moved) return;
    }
}

/** One host's inside, from 0, 0. */
class Block {
    items = [];
    spaces = [];

    constructor({ key, name, base, members }, homes, model, ties, tops) {
        this.key = key;
        this.name = name;
        this.ties = ties;
        this.tops = tops;
        this.base = base ?? Block.#baseOf(members);
        const rows = this.#rows(members, homes, model);
        this.#columns(rows);
        this.#floor(rows.get(this.base?.key) ?? []);
        this.#measure();
    }

    /** The host's own namespace: said to be, or the one with a real device, or the largest. */
    static #baseOf(members) {
        const spaces = members.filter(entity => entity.kind === 'namespace');
        const size = key => members.filter(entity => entity.parent === key).length;
        return spaces.find(space => space.attributes.initial === true)
            ?? spaces.find(space => members.some(e => e.parent === space.key && e.attributes.device === 'physical'))
            ?? spaces.sort((a, b) => size(b.key) - size(a.key))[0];
    }

    /** Namespace → its entities with their levels. */
    #rows(members, homes, model) {
        const own = new Set(members.map(entity => entity.key));
        const rows = new Map(members.filter(entity => entity.kind === 'namespace').map(entity => [entity.key, []]));
        for (const entity of members) {
            if (entity.kind === 'namespace') continue;
            let space = homes.get(entity.key) ?? null;
            for (const parent of model.ancestors(entity.key)) if (rows.has(parent)) space ??= parent;
            space ??= this.base?.key ?? '';
            if (!rows.has(space)) rows.set(space, []);
            const inBase = space === this.base?.key || !this.base;
            rows.get(space).push({ key: entity.key, entity, level: inBase && this.#leadsOut(entity, own) ? 6 : levelOf(entity, inBase) });
        }
        return rows;
    }

    /** A host in a namespace has one end of a pair for an uplink: what joins it to another block and is no port of its own bridges. */
    #leadsOut(entity, own) {
        const others = (this.ties.get(entity.key) ?? []).map(key => this.tops.get(key)).filter(other => other?.kind === 'interface');
        return entity.kind === 'interface' && entity.attributes.device === 'veth' && others.some(other => !own.has(other.key))
            && !others.some(other => own.has(other.key) && other.attributes.device === 'bridge');
    }

    /** It has ports and bridges and nothing else: a wire between the others. */
    get isSwitch() {
        return !this.spaces.length && this.items.length > 0 && this.items.every(item => item.level === 3 || item.level === 4);
    }

    /** A column for each namespace but the base; those of one virtual network stand together. */
    #columns(rows) {
        const spaces = [...rows.keys()].filter(key => key !== this.base?.key && key !== '');
        const network = key => this.tops.get(key)?.networks?.[0] ?? '~';
        spaces.sort((a, b) => network(a).localeCompare(network(b)) || byName(this.tops.get(a), this.tops.get(b)));
        let x = 0;
        let last = null;
        for (const key of spaces) {
            if (last !== null && network(key) !== last) x += gap * 1.6;
            last = network(key);
            const width = this.#column(rows.get(key), x);
            this.spaces.push({ key, x, w: width });
            x += width + gap;
        }
        const own = (rows.get(this.base?.key) ?? rows.get('') ?? []).filter(item => item.level < 2);
        if (own.length) x += this.#column(own, x) + gap;
        this.right = x;
    }

    #column(items, x) {
        const levels = [0, 1, 2].map(level => items.filter(item => item.level === level).sort((a, b) => byName(a.entity, b.entity)));
        const uplinked = items.filter(item => item.level > 2);
        levels[2].push(...uplinked);
        uplinked.forEach(item => { item.level = 2; });
        const width = Math.max(1, ...levels.map(level => level.length)) * slot;
        for (const level of levels) {
            level.forEach((item, index) => {
                item.x = x + (width - level.length * slot) / 2 + (index + 0.5) * slot;
                this.items.push(item);
            });
        }
        return width;
    }

    /** The base namespace: ports below what they lead to, bridges across their ports, overlays below their bridges, then uplinks. */
    #floor(items) {
        const placed = new Map(this.items.map(item => [item.key, item]));
        const tied = (item, wanted) => (this.ties.get(item.key) ?? []).map(key => placed.get(key)).filter(other => other && wanted(other));
        const level = number => items.filter(item => item.level === number).sort((a, b) => byName(a.entity, b.entity));
        const put = (item, x) => {
            item.x = x;
            placed.set(item.key, item);
            this.items.push(item);
        };
        const loose = item => {
            put(item, this.right + slot / 2);
            this.right += slot;
        };
        const mean = found => found.reduce((sum, other) => sum + other.x, 0) / found.length;
        for (const item of level(3)) {
            const peers = tied(item, other => other.level === 2);
            if (peers.length) put(item, mean(peers));
            else loose(item);
        }
        spread(level(3), slot * 0.7);
        for (const item of level(4)) {
            const ports = tied(item, other => other.level === 3 || other.level === 2);
            if (!ports.length) {
                loose(item);
                item.w = slot;
                continue;
            }
            const xs = ports.map(port => port.x);
            put(item, (Math.min(...xs) + Math.max(...xs)) / 2);
            item.w = Math.max(slot, Math.max(...xs) - Math.min(...xs) + 40);
        }
        this.#stagger(level(4));
        for (const item of level(5)) {
            const bridges = tied(item, other => other.level === 4);
            if (bridges.length) put(item, mean(bridges));
            else loose(item);
        }
        spread(level(5), slot * 1.3);
        const middle = Math.max(this.right - gap, slot) / 2;
        const last = level(6);
        last.forEach((item, index) => put(item, middle + (index - (last.length - 1) / 2) * slot * 1.3));
    }

    /** Bridges that lie over one another are set off in height. */
    #stagger(bridges) {
        const ends = [-Infinity, -Infinity, -Infinity];
        for (const bridge of bridges.sort((a, b) => a.x - b.x)) {
            const row = ends.findIndex(end => end < bridge.x - bridge.w / 2 - 6);
            bridge.down = Math.max(0, row) * 13;
            ends[Math.max(0, row)] = bridge.x + bridge.w / 2;
        }
    }

    #measure() {
        const xs = this.items.flatMap(item => [item.x - (item.w ?? slot) / 2, item.x + (item.w ?? slot) / 2]);
        this.left = Math.min(0, ...xs);
        this.w = Math.max(slot * 2, ...xs, this.right - gap) - this.left;
    }
}

/** Heights of the levels that are in use, from the top of a block; `stretch` pulls them apart. */
function heights(blocks, stretch) {
    const used = levelNames.map((_, level) => blocks.some(block => block.items.some(item => item.level === level)));
    const ys = [];
    let y = 80;
    for (let level = 0; level < levelNames.length; level++) {
        ys.push(y);
        if (used[level]) y += levelHeights[level] * stretch;
    }
    const last = used.lastIndexOf(true);
    return { ys, used, end: (last < 0 ? 80 : ys[last]) + 30 };
}

/** How many hosts stand side by side, and how far their levels are pulled apart to fill the height there is. All in one row where they stay
 *  legible so: then the levels run through. */
function division(blocks, outsideHeight, { width, height }) {
    const total = blocks.reduce((sum, block) => sum + block.w + between, 0);
    const high = heights(blocks, 1).end + between;
    const rowsOf = n => Math.ceil(blocks.length / n);
    const scale = n => Math.min(width / (total / rowsOf(n) + 90), height / (rowsOf(n) * high + outsideHeight));
    const choices = blocks.map((_, index) => index + 1);
    const best = choices.reduce((a, b) => (scale(b) > scale(a) ? b : a), 1);
    const columns = width / (total + 90) >= 0.55 ? blocks.length : best;
    const rows = rowsOf(columns);
    const k = Math.min(1.5, width / (total / rows + 90));
    const stretch = Math.min(2, Math.max(1, (height / k - outsideHeight - 100) / rows / high));
    return { columns, stretch };
}

/** @param size {width, height} of the place there is.
 *  @returns {{place: Map, blocks: object[], levels: object[]}} `place`: key → {x, y, w}; `w` for what is drawn as a bar. */
export function sections(model, { nodes }, size) {
    const tops = new Map(nodes.map(node => [node.key, node]));
    const ties = new Map();
    for (const link of model.links.values()) {
        if (link.layer !== 'layer2' && link.layer !== 'physical') continue;
        for (const [a, b] of [[link.from, link.to], [link.to, link.from]]) {
            if (!ties.has(a)) ties.set(a, []);
            ties.get(a).push(b);
        }
    }
    const { groups, homes, outside } = divide(model, nodes, ties);
    const blocks = groups.map(group => new Block(group, homes, model, ties, tops)).sort(byName);
    return assemble(blocks, outside, size);
}

function assemble(all, outside, size) {
    const hasHosts = all.some(block => !block.isSwitch);
    const [blocks, switches] = [all.filter(block => !hasHosts || !block.isSwitch), all.filter(block => hasHosts && block.isSwitch)];
    const below = heights(switches, 1);
    const starts = {
        hosts: sharedStart(all.map(block => block.name)),
        spaces: sharedStart(all.flatMap(block => block.spaces.map(space => block.tops.get(space.key).name))),
    };
    const result = { place: new Map(), blocks: [], levels: [], curved: true };
    const { columns, stretch } = blocks.length ? division(blocks, (outside.length ? 90 : 0) + (switches.length ? below.end : 0), size) : { columns: 1, stretch: 1 };
    const { ys, used, end } = heights(blocks, stretch);
    let y = 0;
    let widest = 0;
    for (let first = 0; first < blocks.length; first += columns) {
        let x = 0;
        for (const block of blocks.slice(first, first + columns)) {
            put(block, x, y, result, ys, end, starts);
            x += block.w + between;
        }
        levelNames.forEach((name, level) => {
            if (used[level]) result.levels.push({ x: 0, y: y + ys[level], name });
        });
        widest = Math.max(widest, x - between + 44);
        y += end + between;
    }
    let x = (widest - switches.reduce((sum, block) => sum + block.w + between, 44 - between)) / 2;
    for (const block of switches) {
        put(block, x, y - between * 0.4, result, below.ys, below.end, starts);
        x += block.w + between;
    }
    putOutside(outside, widest, switches.length ? y + below.end : y, result);
    return result;
}

/** `short` for where there is little room: without what all names begin with. */
const named = (name, start) => ({ name, short: start && name.startsWith(start) ? `…${name.slice(start.length)}` : name });

function put(block, x, y, result, ys, end, starts) {
    const shift = x + 22 - block.left;
    result.blocks.push({ key: block.key, kind: 'host', ...named(block.name, starts.hosts), x, y, w: block.w + 44, h: end });
    const bottom = (ys[2] + ys[3]) / 2;
    for (const space of block.spaces) {
        const names = named(block.tops.get(space.key).name, starts.spaces);
        result.blocks.push({ key: space.key, kind: 'namespace', ...names, x: space.x + shift, y: y + 36, w: space.w, h: bottom - 36 });
    }
    for (const item of block.items) {
        result.place.set(item.key, { x: item.x + shift, y: y + ys[item.level] + (item.down ?? 0), w: item.w ?? 0 });
    }
}

/** What is in no host: switches that were heard of as bars below, addresses elsewhere in a grid. */
function putOutside(outside, widest, y, result) {
    const hosts = outside.filter(entity => entity.kind === 'host').sort(byName);
    const room = Math.max(widest, hosts.length * 160) / Math.max(1, hosts.length);
    hosts.forEach((entity, index) => {
        result.place.set(entity.key, { x: room * (index + 0.5), y: y + 22, w: Math.min(260, room * 0.7) });
    });
    const rest = outside.filter(entity => entity.kind !== 'host').sort(byName);
    const columns = Math.max(4, Math.floor(Math.max(widest, 600) / slot));
    rest.forEach((entity, index) => {
        result.place.set(entity.key, {
            x: (index % columns + 0.5) * slot, y: y + (hosts.length ? 70 : 20) + Math.floor(index / columns) * 46, w: 0,
        });
    });
}
