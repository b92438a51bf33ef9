// Names on the map: the important ones first, each only where none lies yet.
import { radius } from './glyphs.js';

const cell = 6;
const widths = new Map();
const importance = { host: 0, application: 2, service: 3, endpoint: 2, namespace: 2, interface: 5 };
const devices = { physical: 1, bond: 1, bridge: 1, vxlan: 3, veth: 6 };

function rank(node) {
    const device = node.entity.kind === 'interface' ? devices[node.entity.attributes.device] : undefined;
    return device ?? importance[node.entity.kind] ?? 4;
}

function widthOf(context, font, text) {
    const key = `${font}|${text}`;
    let width = widths.get(key);
    if (width === undefined) {
        context.font = font;
        width = context.measureText(text).width;
        if (widths.size > 20000) widths.clear();
        widths.set(key, width);
    }
    return width;
}

/** A text no wider than `room`, cut with an ellipsis; null where not even a few letters fit. */
function cut(context, font, text, room) {
    if (widthOf(context, font, text) <= room) return text;
    for (let length = text.length - 1; length >= 3; length--) {
        const shorter = `${text.slice(0, length)}…`;
        if (widthOf(context, font, shorter) <= room) return shorter;
    }
    return null;
}

/** A name where it fits, else a shorter one, cut if need be; null where there is no room. */
export const fitting = (context, font, name, short, room) => cut(context, font, widthOf(context, font, name) <= room ? name : short, room);

/** A text that stands out from the lines under it. */
export function outlined(context, ground, ink, text, x, y) {
    context.lineJoin = 'round';
    context.lineWidth = 4;
    context.strokeStyle = ground;
    context.strokeText(text, x, y);
    context.fillStyle = ink;
    context.fillText(text, x, y);
}

export class Labels {
    #taken = new Set();

    clear() {
        this.#taken.clear();
    }

    /** Takes the room if it is free. */
    claim(x, y, w, h) {
        const cells = [];
        for (let row = Math.floor(y / cell); row <= (y + h) / cell; row++) {
            for (let column = Math.floor(x / cell); column <= (x + w) / cell; column++) {
                const key = row * 4096 + column;
                if (this.#taken.has(key)) return false;
                cells.push(key);
            }
        }
        for (const key of cells) this.#taken.add(key);
        return true;
    }

    /** Draws the names of nodes. `order` is scene.nodes by importance, from ``sorted``. */
    draw(context, order, camera, size, colours, font) {
        const { k } = camera;
        context.textAlign = 'center';
        context.font = font;
        let drawn = 0;
        // Where there is little to name, all of it is.
        const near = order.length > 300 ? k * 0.7 : order.length < 80 ? k * 1.4 : k;
        const least = near < 0.35 ? 1 : near < 0.6 ? 3 : near < 0.95 ? 5 : 9;
        for (const node of order) {
            if (node.rank > least || drawn > 260) break;
            const [sx, sy] = camera.toScreen(node.x, node.y);
            if (sx < -40 || sx > size.width + 40 || sy < -20 || sy > size.height + 20) continue;
            const width = widthOf(context, font, node.label);
            const above = node.entity.kind === 'service';
            let y = above ? sy - radius(node) * k - 5 : sy + radius(node) * k + 11;
            if (!this.claim(sx - width / 2, y - 9, width, 10)) {
                // One line further off there may be room.
                y += above ? -15 : 15;
                if (!this.claim(sx - width / 2, y - 9, width, 10)) continue;
            }
            outlined(context, colours.surface, node.rank <= 2 ? colours.ink : colours.muted, node.label, sx, y);
            drawn += 1;
        }
    }
}

export function sorted(nodes) {
    for (const node of nodes) node.rank = rank(node);
    return [...nodes].sort((a, b) => a.rank - b.rank || a.key.localeCompare(b.key));
}
