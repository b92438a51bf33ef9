// What is drawn: nodes with their places, links with their courses, blocks. Immutable but for the tween from one arrangement to the next.
import { course, distance } from './curves.js';

export class Scene {
    nodes = [];
    links = [];
    /** key → node. */
    index = new Map();
    /** key of a node → its links, and key of a link → the link. */
    linksOf = new Map();

    constructor(model, { nodes, links }, arrangement) {
        this.arrangement = arrangement;
        this.blocks = arrangement.blocks;
        this.levels = arrangement.levels;
        for (const entity of nodes) {
            const place = arrangement.place.get(entity.key);
            if (!place) continue;
            const node = { key: entity.key, entity, label: model.label(entity), x: place.x, y: place.y, w: place.w };
            this.nodes.push(node);
            this.index.set(entity.key, node);
        }
        this.blockIndex = new Map(this.blocks.map(block => [block.key, block]));
        this.#join(links);
        this.#stems();
        this.hulls = arrangement.curved ? [] : this.#hulls(model);
        this.bounds = this.#bounds();
    }

    #join(links) {
        const pairs = new Map();
        for (const link of links) {
            const [a, b] = [this.#end(link.from), this.#end(link.to)];
            if (!a || !b) continue;
            const pair = link.from < link.to ? `${link.from} ${link.to}` : `${link.to} ${link.from}`;
            const nth = pairs.get(pair) ?? 0;
            pairs.set(pair, nth + 1);
            const side = this.arrangement.curved ? 0.16 * nth : (nth % 2 ? -1 : 1) * (0.04 + 0.07 * Math.floor(nth / 2));
            const drawn = { key: link.key, link, a, b, course: course(link.kind, a, b, this.arrangement.curved, side) };
            this.links.push(drawn);
            this.linksOf.set(link.key, drawn);
            for (const node of [a, b]) {
                if (!this.linksOf.has(node.key)) this.linksOf.set(node.key, []);
                this.linksOf.get(node.key).push(drawn);
            }
        }
    }

    /** A link may end at a namespace or host, which is a block: then it ends at that block's lower edge. */
    #end(key) {
        const node = this.index.get(key);
        if (node) return node;
        const block = this.blockIndex.get(key);
        return block ? { key, x: block.x + block.w / 2, y: block.y + block.h - 8, w: block.w * 0.6, isBlock: true } : null;
    }

    /** Services stand on their addresses. */
    #stems() {
        this.stems = [];
        for (const node of this.nodes) {
            const parent = node.entity.kind === 'service' ? this.index.get(node.entity.parent) : null;
            if (parent) this.stems.push([node, parent]);
        }
    }

    #bounds() {
        let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
        const add = (x1, y1, x2, y2) => {
            left = Math.min(left, x1);
            top = Math.min(top, y1);
            right = Math.max(right, x2);
            bottom = Math.max(bottom, y2);
        };
        for (const block of this.blocks) add(block.x, block.y, block.x + block.w, block.y + block.h);
        for (const node of this.nodes) add(node.x - node.w / 2 - 24, node.y - 24, node.x + node.w / 2 + 24, node.y + 24);
        // A hull has a rim, and above it its name.
        for (const hull of this.hulls) for (const [x, y] of hull.points) add(x - 36, y - 62, x + 36, y + 36);
        // Curves reach about three quarters of the way to their control points.
        for (const { course: c } of this.links) {
            add(c[0], c[1] + 0.75 * (Math.min(c[3], c[5]) - c[1]), c[0], c[1] + 0.75 * (Math.max(c[3], c[5]) - c[1]));
        }
        return this.nodes.length || this.blocks.length ? { x: left, y: top, w: right - left, h: bottom - top } : { x: 0, y: 0, w: 1, h: 1 };
    }

    /** Around the nodes of each host, its convex hull. */
    #hulls(model) {
        const groups = new Map();
        for (const node of this.nodes) {
            const outer = model.outermost(node.key);
            if (outer === node.key || model.entities.get(outer)?.kind !== 'host') continue;
            if (!groups.has(outer)) groups.set(outer, []);
            groups.get(outer).push([node.x, node.y]);
        }
        return [...groups].map(([key, points]) => ({ key, name: model.entities.get(key).name, points: convexHull(points) }));
    }

    nodeAt(x, y, reach) {
        let [found, best] = [null, reach];
        for (const node of this.nodes) {
            const dx = Math.max(0, Math.abs(x - node.x) - node.w / 2);
            const away = Math.hypot(dx, y - node.y);
            if (away < best) [found, best] = [node, away];
        }
        return found;
    }

    linkAt(x, y, reach) {
        let [found, best] = [null, reach];
        for (const link of this.links) {
            const away = distance(link.course, x, y, best);
            if (away < best) [found, best] = [link, away];
        }
        return found;
    }

    /** The innermost block at a point. */
    blockAt(x, y) {
        let found = null;
        for (const block of this.blocks) {
            const isIn = x >= block.x && x <= block.x + block.w && y >= block.y && y <= block.y + block.h;
            if (isIn && (!found || block.w < found.w)) found = block;
        }
        return found;
    }

    /** The nearest node in a direction: 'left', 'right', 'up', 'down'. What lies aside counts double. */
    towards(node, direction) {
        const [dx, dy] = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] }[direction];
        let [found, best] = [null, Infinity];
        for (const other of this.nodes) {
            const [x, y] = [other.x - node.x, other.y - node.y];
            const along = x * dx + y * dy;
            if (other === node || along < 2) continue;
            const cost = along + 2.5 * Math.abs(x * dy - y * dx);
            if (cost < best) [found, best] = [other, cost];
        }
        return found;
    }
}

function convexHull(points) {
    const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    if (sorted.length < 3) return sorted;
    const half = list => {
        const hull = [];
        for (const p of list) {
            while (hull.length > 1) {
                const [a, b] = [hull[hull.length - 2], hull[hull.length - 1]];
                if ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) > 0) break;
                hull.pop();
            }
            hull.push(p);
        }
        hull.pop();
        return hull;
    };
    return [...half(sorted), ...half(sorted.reverse())];
}
