// Where on the drawing one looks, and pointer, wheel and touch that move it. Screen = (world − centre) · scale + half the size.

const nearest = 4;
const farthest = 0.08;

export class Camera {
    x = 0;
    y = 0;
    k = 1;
    /** True until a person moves it: then it no longer follows the drawing's bounds. */
    follows = true;

    /** @param {() => {width: number, height: number}} size @param {() => void} moved */
    constructor(size, moved) {
        this.size = size;
        this.moved = moved;
    }

    toWorld(sx, sy) {
        const { width, height } = this.size();
        return [(sx - width / 2) / this.k + this.x, (sy - height / 2) / this.k + this.y];
    }

    toScreen(x, y) {
        const { width, height } = this.size();
        return [(x - this.x) * this.k + width / 2, (y - this.y) * this.k + height / 2];
    }

    fit(bounds, pad = { left: 20, right: 20, top: 20, bottom: 20 }) {
        const { width, height } = this.size();
        const [w, h] = [Math.max(60, width - pad.left - pad.right), Math.max(60, height - pad.top - pad.bottom)];
        this.k = Math.min(1.5, Math.max(farthest, Math.min(w / bounds.w, h / bounds.h)));
        this.x = bounds.x + bounds.w / 2 + (pad.right - pad.left) / 2 / this.k;
        this.y = bounds.y + bounds.h / 2 + (pad.bottom - pad.top) / 2 / this.k;
        this.follows = true;
    }

    pan(dx, dy) {
        this.x -= dx / this.k;
        this.y -= dy / this.k;
        this.follows = false;
        this.moved();
    }

    /** Keeps the point under the pointer where it is. */
    zoom(factor, sx, sy) {
        const { width, height } = this.size();
        const [px, py] = [sx ?? width / 2, sy ?? height / 2];
        const [wx, wy] = this.toWorld(px, py);
        this.k = Math.min(nearest, Math.max(farthest, this.k * factor));
        this.x = wx - (px - width / 2) / this.k;
        this.y = wy - (py - height / 2) / this.k;
        this.follows = false;
        this.moved();
    }

    /** Moves a point into view if it is outside. */
    reveal(x, y) {
        const { width, height } = this.size();
        const [sx, sy] = this.toScreen(x, y);
        if (sx > 40 && sx < width - 40 && sy > 40 && sy < height - 60) return;
        this.x = x;
        this.y = y;
        this.follows = false;
        this.moved();
    }
}

/** Drag, pinch and wheel on an element; a press without movement is `pressed(x, y)`, a pointer passing over it `over(x, y)`. */
export function steer(element, camera, { pressed, over, left }) {
    const pointers = new Map();
    let travelled = 0;
    const place = event => {
        const box = element.getBoundingClientRect();
        return [event.clientX - box.left, event.clientY - box.top];
    };
    const gap = () => {
        const [a, b] = [...pointers.values()];
        return Math.hypot(a[0] - b[0], a[1] - b[1]);
    };
    element.addEventListener('pointerdown', event => {
        element.setPointerCapture(event.pointerId);
        pointers.set(event.pointerId, place(event));
        if (pointers.size === 1) travelled = 0;
    });
    element.addEventListener('pointermove', event => {
        const now = place(event);
        const before = pointers.get(event.pointerId);
        if (!before) return over(...now);
        const wide = pointers.size === 2 ? gap() : 0;
        pointers.set(event.pointerId, now);
        const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
        travelled += Math.abs(dx) + Math.abs(dy);
        if (pointers.size === 2) {
            const [a, b] = [...pointers.values()];
            camera.zoom(gap() / (wide || 1), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
            camera.pan(dx / 2, dy / 2);
        } else if (travelled > 4) camera.pan(dx, dy);
    });
    const up = event => {
        if (!pointers.delete(event.pointerId)) return;
        if (event.type === 'pointerup' && travelled <= 4 && pointers.size === 0) pressed(...place(event));
    };
    element.addEventListener('pointerup', up);
    element.addEventListener('pointercancel', up);
    element.addEventListener('pointerleave', () => { if (!pointers.size) left(); });
    element.addEventListener('wheel', event => {
        event.preventDefault();
        const speed = event.deltaMode === 1 ? 0.05 : event.ctrlKey ? 0.01 : 0.0016;
        camera.zoom(Math.exp(-event.deltaY * speed), ...place(event));
    }, { passive: false });
}
