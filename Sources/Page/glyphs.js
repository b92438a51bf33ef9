// The shapes of nodes, in the drawing's own units around a centre.

/** `solid`: filled with ink; `open`: an outline on the surface; `small`: a filled mark. */
export function form(entity) {
    if (entity.kind === 'host') return 'solid';
    if (entity.kind === 'service') return 'small';
    if (entity.kind !== 'interface') return 'open';
    return ['physical', 'bond', 'bridge'].includes(entity.attributes.device) ? 'solid' : 'open';
}

export const isDown = entity => entity.kind === 'interface' && entity.attributes.state !== undefined && entity.attributes.state !== 'up';

/** Half the height, for labels and rings. */
export function radius(node) {
    switch (node.entity.kind) {
    case 'host': return 8;
    case 'service': return 4.5;
    case 'interface': return node.w ? 4 : 5.5;
    default: return 6.5;
    }
}

export function addGlyph(path, node, grown = 0) {
    const { x, y, w, entity } = node;
    if (entity.kind === 'host' || w) {
        const half = Math.max(w, 22) / 2 + grown;
        const r = radius(node) + grown;
        path.roundRect(x - half, y - r, half * 2, r * 2, Math.min(r, 3 + grown));
    } else if (entity.kind === 'service') {
        const r = 5.5 + grown;
        path.moveTo(x, y - r);
        path.lineTo(x + r, y);
        path.lineTo(x, y + r);
        path.lineTo(x - r, y);
        path.closePath();
    } else if (entity.kind === 'application') {
        const r = 5.5 + grown;
        path.rect(x - r, y - r, r * 2, r * 2);
    } else if (entity.kind === 'interface') {
        addInterface(path, x, y, entity.attributes.device, grown);
    } else {
        path.moveTo(x + 6.5 + grown, y);
        path.arc(x, y, 6.5 + grown, 0, 2 * Math.PI);
        path.closePath();
    }
}

function addInterface(path, x, y, device, grown) {
    if (device === 'vxlan' || device === 'gre' || device === 'geneve' || device === 'wireguard') {
        // A pipe's end.
        const [a, b, c] = [10 + grown, 6 + grown, 6 + grown * 0.6];
        path.moveTo(x - a, y);
        path.lineTo(x - c, y - b);
        path.lineTo(x + c, y - b);
        path.lineTo(x + a, y);
        path.lineTo(x + c, y + b);
        path.lineTo(x - c, y + b);
        path.closePath();
    } else {
        const [a, b] = device === 'physical' ? [10 + grown, 6 + grown] : [7.5 + grown, 5 + grown];
        path.roundRect(x - a, y - b, 2 * a, 2 * b, 2 + grown);
    }
}
