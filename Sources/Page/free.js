// The free arrangement on the page's side: what goes to the worker, and the positions that come back.

export class FreeArrangement {
    #worker = null;
    #start = 0;
    #keys = [];
    #known = new Map();
    /** @param {(arrangement: object) => void} arrived with every better position. @param {(why: string) => void} missing */
    constructor(arrived, missing) {
        this.arrived = arrived;
        this.missing = missing;
    }

    #listen() {
        this.#worker = new Worker(new URL('force-worker.js', import.meta.url));
        this.#worker.onmessage = ({ data }) => {
            if (data.missing) this.missing(data.missing);
            else if (data.start === this.#start) this.#take(data);
        };
        this.#worker.onerror = event => this.missing(event.message ?? 'the worker did not start');
    }

    /** Begins anew with what is to be seen; what was placed before starts from there. */
    arrange(model, { nodes, links }, aspect) {
        if (!this.#worker) this.#listen();
        const parents = new Set(nodes.map(node => node.parent).filter(Boolean));
        const inside = nodes.filter(node => node.kind !== 'namespace' && !(node.kind === 'host' && parents.has(node.key)));
        const index = new Map(inside.map((node, place) => [node.key, place]));
        const groups = new Map();
        const group = node => {
            const outer = model.outermost(node.key);
            if (model.entities.get(outer)?.kind !== 'host' || outer === node.key) return -1;
            if (!groups.has(outer)) groups.set(outer, groups.size);
            return groups.get(outer);
        };
        this.#keys = inside.map(node => node.key);
        this.#start += 1;
        const pairs = links.map(link => [index.get(link.from), index.get(link.to)]);
        for (const node of inside) {
            if (node.kind === 'service' && index.has(node.parent)) pairs.push([index.get(node.key), index.get(node.parent), true]);
        }
        const wanted = pairs.filter(([a, b]) => a !== undefined && b !== undefined);
        const degrees = new Map();
        for (const [a, b] of wanted) for (const end of [a, b]) degrees.set(end, (degrees.get(end) ?? 0) + 1);
        this.#worker.postMessage({
            start: this.#start, aspect,
            nodes: inside.map(node => ({ ...this.#known.get(node.key), group: group(node), radius: node.kind === 'service' ? 18 : 24 })),
            links: wanted.map(([source, target, isStem = false]) =>
                ({ source, target, isStem, weight: Math.min(degrees.get(source), degrees.get(target)) })),
        });
    }

    stop() {
        this.#start += 1;
        this.#worker?.postMessage({ stop: true });
    }

    #take({ positions, done }) {
        const place = new Map();
        this.#keys.forEach((key, index) => {
            const at = { x: positions[2 * index], y: positions[2 * index + 1] };
            this.#known.set(key, at);
            place.set(key, { ...at, w: 0 });
        });
        this.arrived({ place, blocks: [], levels: [], curved: false, done });
    }
}
