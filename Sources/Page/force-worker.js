// The free arrangement, worked out by d3-force beside the page's own thread. A classic worker: Debian's package brings scripts, no modules.
//
// In: {start: number, nodes: [{x?, y?, group, radius}], links: [{source, target}]} or {stop: true}.
// Out: {start, positions: Float32Array (x, y, …), done} again and again, or {missing: text}.
/* global d3 */

const parts = ['collection', 'dispatch', 'quadtree', 'timer', 'force'];
let simulation = null;
let failure = null;

try {
    for (const part of parts) importScripts(`../lib/d3-${part}.js`);
} catch (error) {
    failure = String(error.message ?? error);
}

/** Keeps groups together, and apart from one another. */
function groupForce(strength) {
    let groups = [];
    const force = alpha => {
        for (const group of groups) {
            group.x = group.y = 0;
            for (const node of group.nodes) {
                group.x += node.x / group.nodes.length;
                group.y += node.y / group.nodes.length;
            }
        }
        for (const group of groups) {
            let [dx, dy] = [0, 0];
            for (const other of groups) {
                if (other === group) continue;
                const [x, y] = [group.x - other.x, group.y - other.y];
                const distance = Math.hypot(x, y) || 1;
                const lack = (group.radius + other.radius) * 1.15 - distance;
                if (lack > 0) {
                    dx += x / distance * lack;
                    dy += y / distance * lack;
                }
            }
            for (const node of group.nodes) {
                node.vx += (group.x - node.x) * strength * alpha + dx * 0.25 * alpha;
                node.vy += (group.y - node.y) * strength * alpha + dy * 0.25 * alpha;
            }
        }
    };
    force.initialize = nodes => {
        const found = new Map();
        for (const node of nodes) {
            if (node.group < 0) continue;
            if (!found.has(node.group)) found.set(node.group, []);
            found.get(node.group).push(node);
        }
        groups = [...found.values()].map(members => ({ nodes: members, radius: 26 * Math.sqrt(members.length) + 24, x: 0, y: 0 }));
    };
    return force;
}

function send(start, done) {
    const nodes = simulation.nodes();
    const positions = new Float32Array(nodes.length * 2);
    nodes.forEach((node, index) => {
        positions[2 * index] = node.x;
        positions[2 * index + 1] = node.y;
    });
    postMessage({ start, positions, done }, [positions.buffer]);
}

function begin({ start, nodes, links, aspect }) {
    simulation?.stop();
    // In a crowd what goes from host to host would pull all hosts into one.
    const far = links.length > 600 ? 0.01 : 0.4;
    const strength = link => {
        if (link.isStem) return 0.9;
        return (link.source.group === link.target.group ? 0.5 : far) / Math.min(link.weight, 12);
    };
    const isKnown = nodes.filter(node => node.x !== undefined).length > nodes.length * 0.7;
    const flat = Math.min(2, Math.max(0.6, aspect));
    simulation = d3.forceSimulation(nodes)
        .force('link', d3.forceLink(links).distance(link => (link.isStem ? 26 : 62))
            .strength(strength))
        .force('charge', d3.forceManyBody().strength(-150).theta(1.1).distanceMax(700))
        .force('collide', d3.forceCollide(node => node.radius).strength(0.8))
        .force('group', groupForce(nodes.length > 200 ? 0.5 : 0.3))
        .force('x', d3.forceX(0).strength(0.03 / flat))
        .force('y', d3.forceY(0).strength(0.03 * flat))
        .alpha(isKnown ? 0.25 : 1).alphaDecay(nodes.length > 400 ? 0.035 : 0.022).stop();
    const until = performance.now() + 350;
    while (simulation.alpha() > simulation.alphaMin() && performance.now() < until) {
        simulation.tick();
        simulation.alpha(simulation.alpha() * (1 - simulation.alphaDecay()));
    }
    let last = 0;
    simulation.on('tick', () => {
        if (performance.now() - last < 60) return;
        last = performance.now();
        send(start, false);
    });
    simulation.on('end', () => send(start, true));
    send(start, false);
    simulation.restart();
}

onmessage = ({ data }) => {
    if (failure) postMessage({ missing: failure });
    else if (data.stop) simulation?.stop();
    else begin(data);
};
