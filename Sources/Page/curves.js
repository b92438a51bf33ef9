// The course of a link on the map: a cubic curve, and how far a point is from it.

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Where a link meets a node that is drawn as a bar: as close to the other end as the bar reaches. */
const meet = (node, other) => (node.w ? clamp(other.x, node.x - node.w / 2 + 6, node.x + node.w / 2 - 6) : node.x);

/** x, y of both ends and both control points: [x1, y1, c1x, c1y, c2x, c2y, x2, y2]. */
export function course(kind, a, b, curved, spreadBy) {
    const [x1, x2] = [meet(a, b), meet(b, a)];
    const [y1, y2] = [a.y, b.y];
    if (!curved) {
        // Slightly bent, so that links between the same two nodes lie side by side.
        const [mx, my] = [(x1 + x2) / 2 + (y2 - y1) * spreadBy, (y1 + y2) / 2 - (x2 - x1) * spreadBy];
        return [x1, y1, mx, my, mx, my, x2, y2];
    }
    const distance = Math.hypot(x2 - x1, y2 - y1);
    if (kind === 'talk' || kind === 'tunnel') {
        const lift = (kind === 'talk' ? -1 : 1) * clamp(24 + distance * 0.14, 30, kind === 'talk' ? 170 : 90) * (1 + spreadBy);
        return [x1, y1, x1 + (x2 - x1) * 0.12, y1 + lift, x2 - (x2 - x1) * 0.12, y2 + lift, x2, y2];
    }
    const middle = (y1 + y2) / 2;
    return [x1, y1, x1, middle, x2, middle, x2, y2];
}

function at(c, t) {
    const s = 1 - t;
    const [p, q, r, u] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
    return [p * c[0] + q * c[2] + r * c[4] + u * c[6], p * c[1] + q * c[3] + r * c[5] + u * c[7]];
}

export const middle = c => at(c, 0.5);

/** The distance of a point from a curve, or Infinity when that is surely over `limit`. */
export function distance(c, x, y, limit) {
    const low = Math.min(c[0], c[2], c[4], c[6]) - limit;
    const high = Math.max(c[0], c[2], c[4], c[6]) + limit;
    if (x < low || x > high) return Infinity;
    if (y < Math.min(c[1], c[3], c[5], c[7]) - limit || y > Math.max(c[1], c[3], c[5], c[7]) + limit) return Infinity;
    let best = Infinity;
    let [ax, ay] = [c[0], c[1]];
    for (let step = 1; step <= 14; step++) {
        const [bx, by] = at(c, step / 14);
        const [dx, dy] = [bx - ax, by - ay];
        const along = clamp(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1), 0, 1);
        best = Math.min(best, Math.hypot(x - ax - along * dx, y - ay - along * dy));
        [ax, ay] = [bx, by];
    }
    return best;
}
