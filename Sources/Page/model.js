// The topology that the page shows: entities and links by key, as the agent told them, with what changed lately.

/** How long something that changed while one looked on stays marked, milliseconds. */
const markedFor = 6000;

export class Model extends EventTarget {
    entities = new Map();
    links = new Map();
    epoch = 0;
    /** RFC 3339. */
    at = null;
    /** Key → {change, until}; without `until` it stays, as in a comparison. */
    marks = new Map();
    /** The marks are a comparison's. */
    isCompared = false;
    /** Links that the agent left out of its answer. */
    omitted = 0;
    /** Names that more than one endpoint has; null: to be found out. */
    #shared = null;

    /** Takes a whole topology's place. */
    replace(answer) {
        this.entities = new Map(answer.entities.map(entity => [entity.key, entity]));
        this.links = new Map(answer.links.map(link => [link.key, link]));
        this.epoch = answer.epoch;
        this.at = answer.at;
        this.omitted = answer.omitted?.links ?? 0;
        this.marks = new Map();
        this.isCompared = false;
        this.#tell('things');
    }

    /** What happened while the page was looking on. */
    apply({ at, epoch, changes }) {
        const until = performance.now() + markedFor;
        let same = true;
        for (const change of changes) {
            const things = change.subject === 'entity' ? this.entities : this.links;
            if (change.change === 'vanished') {
                same &&= !things.delete(change.key);
            } else {
                const thing = change.entity ?? change.link;
                same &&= things.has(change.key);
                const known = things.get(change.key);
                things.set(change.key, known?.load && !thing.load?.bitsPerSecond ? { ...thing, load: known.load } : thing);
            }
            this.marks.set(change.key, { change: change.change, until });
        }
        this.epoch = epoch;
        this.at = at;
        this.#tell(same ? 'attributes' : 'things');
    }

    /** Adds what a comparison says: vanished things come back as ghosts. */
    compare(diff) {
        this.marks = new Map();
        this.isCompared = true;
        for (const change of diff.changes) {
            if (change.change === 'vanished') {
                const things = change.subject === 'entity' ? this.entities : this.links;
                const thing = change.entity ?? change.link;
                if (thing && !things.has(change.key)) things.set(change.key, thing);
            }
            this.marks.set(change.key, { change: change.change });
        }
        this.#tell('things');
    }

    setLoads(event) {
        for (const load of event.loads) {
            const link = this.links.get(load.key);
            if (link) link.load = load;
        }
        this.epoch = event.epoch;
        this.at = event.at;
        this.#forget();
        this.#tell('loads');
    }

    get(key) {
        return this.entities.get(key) ?? this.links.get(key);
    }

    isLink(key) {
        return this.links.has(key);
    }

    title(key) {
        const entity = this.entities.get(key);
        if (entity) return this.#isShared(entity) ? `${entity.name} (${entity.attributes.address})` : entity.name;
        const link = this.links.get(key);
        return link ? link.name ?? `${this.qualified(link.from)} – ${this.qualified(link.to)}` : key;
    }

    /** As short as the map has it: the address where others go by the same name. */
    label(entity) {
        return this.#isShared(entity) ? entity.attributes.address : entity.name;
    }

    #isShared({ kind, name, attributes }) {
        if (kind !== 'endpoint' || !attributes.address || attributes.address === name) return false;
        if (!this.#shared) {
            const counts = new Map();
            for (const entity of this.entities.values()) {
                if (entity.kind === 'endpoint') counts.set(entity.name, (counts.get(entity.name) ?? 0) + 1);
            }
            this.#shared = new Set([...counts].filter(([, count]) => count > 1).map(([one]) => one));
        }
        return this.#shared.has(name);
    }

    /** An interface with its namespace, or its host where that is the host's own: `web-1:eth0`, `aswan:eth0`. */
    qualified(key) {
        const entity = this.entities.get(key);
        if (entity?.kind !== 'interface') return this.title(key);
        const space = this.entities.get(entity.parent);
        const place = space?.attributes.initial ? this.entities.get(space.parent) : space;
        return place ? `${place.name}:${entity.name}` : entity.name;
    }

    /** The entity's parents, nearest first. */
    *ancestors(key) {
        const met = new Set([key]);
        let parent = this.entities.get(key)?.parent;
        while (parent && !met.has(parent) && this.entities.has(parent)) {
            yield parent;
            met.add(parent);
            parent = this.entities.get(parent).parent;
        }
    }

    /** The key of the host or other outermost entity that holds an entity; itself where nothing does. */
    outermost(key) {
        let last = key;
        for (const parent of this.ancestors(key)) last = parent;
        return last;
    }

    mark(key) {
        return this.marks.get(key)?.change;
    }

    /** Marks that have had their time. */
    #forget() {
        const now = performance.now();
        for (const [key, mark] of this.marks) if (mark.until < now) this.marks.delete(key);
    }

    /** `things`: something came or went; `attributes`: something is different; `loads`: rates alone. */
    #tell(what) {
        if (what !== 'loads') this.#shared = null;
        this.dispatchEvent(new CustomEvent('change', { detail: what }));
    }
}
