// Which blocks the map of levels has: one for each host. A namespace with a bridge of its own is a host to those that are plugged into it: a
// host with several such (a lab on one machine, containers in containers) is drawn as that many.

/** @param ties key → keys of what it is joined with by wires and ports.
 *  @returns {{groups: object[], homes: Map, outside: object[]}} `groups`: {key, name, base, members}, `base` the namespace that is the host's
 *  own, where that is known; `homes`: services of several servers → the namespace that they are drawn in; `outside`: what is in no host. */
export function divide(model, nodes, ties) {
    const inside = new Map();
    for (const node of nodes) {
        const outer = model.outermost(node.key);
        if (!inside.has(outer)) inside.set(outer, []);
        if (outer !== node.key) inside.get(outer).push(node);
    }
    const outside = [];
    const groups = [];
    const hosts = [...inside].filter(([, members]) => members.some(entity => entity.kind === 'namespace' || entity.kind === 'interface'));
    for (const [key, members] of hosts) groups.push(...split(model, model.entities.get(key), members, ties, hosts.length > 1));
    const known = new Set(hosts.map(([key]) => key));
    for (const [key, members] of inside) if (!known.has(key)) outside.push(model.entities.get(key), ...members);
    const homes = settle(model, groups, outside);
    return { groups, homes, outside: outside.filter(entity => !homes.has(entity.key)) };
}

/** The innermost namespace around an entity. */
function spaceOf(model, entity) {
    if (entity.kind === 'namespace') return entity.key;
    for (const parent of model.ancestors(entity.key)) if (model.entities.get(parent).kind === 'namespace') return parent;
    return null;
}

function split(model, host, members, ties, hasOthers) {
    const space = new Map(members.map(entity => [entity.key, spaceOf(model, entity)]));
    const bridges = members.filter(entity => entity.kind === 'interface' && entity.attributes.device === 'bridge');
    const bases = new Set(bridges.map(entity => space.get(entity.key)).filter(key => key));
    if (bases.size < 2) return [{ key: host.key, name: host.name, base: null, members }];
    const home = new Map();
    for (const key of new Set(space.values())) home.set(key, bases.has(key) ? key : plugged(key, members, space, bases, ties) ?? host.key);
    const groups = new Map();
    for (const entity of members) {
        const key = home.get(space.get(entity.key)) ?? host.key;
        if (!groups.has(key)) {
            const base = bases.has(key) ? model.entities.get(key) : null;
            const name = base ? (hasOthers ? `${host.name} · ${base.name}` : base.name) : host.name;
            groups.set(key, { key, name, base, members: [] });
        }
        groups.get(key).members.push(entity);
    }
    // The host's own namespace has nothing to show where all is in the others.
    return [...groups.values()].filter(group => group.members.some(entity => entity.kind !== 'namespace'));
}

/** The namespace of a bridge that most of a namespace's interfaces lead to. */
function plugged(key, members, space, bases, ties) {
    const counts = new Map();
    for (const entity of members) {
        if (space.get(entity.key) !== key) continue;
        for (const other of ties.get(entity.key) ?? []) {
            const base = space.get(other);
            if (bases.has(base)) counts.set(base, (counts.get(base) ?? 0) + 1);
        }
    }
    return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

/** A service that several serve stands with the first of them that is in a host. */
function settle(model, groups, outside) {
    const homes = new Map();
    const loose = new Map(outside.filter(entity => entity.kind === 'service').map(entity => [entity.key, entity]));
    const groupOf = new Map(groups.flatMap(group => group.members.map(entity => [entity.key, group])));
    const links = [...model.links.values()].filter(link => link.kind === 'serves' && loose.has(link.to) && groupOf.has(link.from));
    for (const link of links.sort((a, b) => (a.key < b.key ? -1 : 1))) {
        if (homes.has(link.to)) continue;
        homes.set(link.to, spaceOf(model, model.entities.get(link.from)));
        groupOf.get(link.from).members.push(loose.get(link.to));
    }
    return homes;
}

/** What all names begin with, up to a sign between words; empty where that says little. */
export function sharedStart(names) {
    if (names.length < 2) return '';
    let length = 0;
    while (names.every(name => length < name.length && name[length] === names[0][length])) length += 1;
    const start = names[0].slice(0, length).replace(/[^-_.:/]*$/, '');
    return start.length > 2 ? start : '';
}
