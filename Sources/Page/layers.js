// Which entities and links are to be seen: by the chosen layers and virtual network. What the kernel makes by itself is not.

export const layers = ['physical', 'layer2', 'layer3', 'tunnel', 'communication'];
const physicalKinds = new Set(['host', 'namespace', 'interface']);

function isOf(network, thing) {
    // What belongs to no virtual network carries all of them.
    return !network || !thing.networks || thing.networks.includes(network);
}

/** @returns {{nodes: object[], links: object[]}} every node's parents are among the nodes, every link's ends too. */
export function choose(model, chosen, network) {
    const links = [];
    const keys = new Set();
    for (const link of model.links.values()) {
        if (link.kernelMade || !chosen.has(link.layer) || !isOf(network, link)) continue;
        const [a, b] = [model.entities.get(link.from), model.entities.get(link.to)];
        if (!a || !b || !isOf(network, a) || !isOf(network, b)) continue;
        links.push(link);
        keys.add(link.from);
        keys.add(link.to);
    }
    if (chosen.has('physical')) {
        for (const entity of model.entities.values()) {
            if (physicalKinds.has(entity.kind) && !entity.kernelMade && isOf(network, entity)) keys.add(entity.key);
        }
    }
    for (const key of [...keys]) for (const parent of model.ancestors(key)) keys.add(parent);
    return { nodes: [...keys].map(key => model.entities.get(key)), links };
}
