// The gauge: a staff as it stands in a river, with all traffic as the water's level. Its scale is the map's: a link is as wide as the wedge
// beside the staff at the height of its load, and what is under the pointer is marked on it.
import { byId, face, fitted } from './dom.js';
import { bitRate, bitRateParts } from './format.js';
import { busier, height, highest, lowest, width } from './level.js';
import { colours, onTheme } from './theme.js';

export class Gauge {
    #canvas = byId('gauge');
    #total = 0;
    #load = null;

    constructor() {
        onTheme(() => this.draw());
        new ResizeObserver(() => this.draw()).observe(this.#canvas);
    }

    setTotal(bits) {
        this.#total = bits;
        this.#canvas.setAttribute('aria-label', `All traffic: ${bitRate(bits)}`);
        this.draw();
    }

    /** The load of the link under the pointer; null for none. */
    point(load) {
        this.#load = load;
        this.draw();
    }

    draw() {
        const { width: w, height: h } = this.#canvas.getBoundingClientRect();
        if (!w || !h) return;
        const { context } = fitted(this.#canvas, w, h);
        context.clearRect(0, 0, w, h);
        if (w > h * 1.5) this.#lying(context, w, h);
        else this.#standing(context, w, h);
    }

    #standing(context, w, h) {
        const colour = colours();
        const [top, bottom, left, staff] = [58, h - 24, 10, 26];
        const y = bits => bottom - height(bits) * (bottom - top);
        context.fillStyle = colour.raised;
        context.strokeStyle = colour.ink;
        context.lineWidth = 1.2;
        const outline = new Path2D();
        outline.roundRect(left, top - 8, staff, bottom - top + 18, 3);
        context.fill(outline);
        const level = y(this.#total);
        context.save();
        context.clip(outline);
        context.fillStyle = colour['water-2'];
        context.globalAlpha = 0.85;
        context.beginPath();
        context.moveTo(left, level);
        context.bezierCurveTo(left + staff * 0.3, level - 4, left + staff * 0.6, level + 4, left + staff, level - 1);
        context.lineTo(left + staff, bottom + 12);
        context.lineTo(left, bottom + 12);
        context.fill();
        context.restore();
        context.stroke(outline);
        this.#ticks(context, colour, left, staff, y);
        this.#wedge(context, colour, left + staff + 5, y);
        this.#reading(context, colour, left, staff, level);
        if (this.#load) this.#pointer(context, colour, left + staff, y);
    }

    #ticks(context, colour, left, staff, y) {
        context.strokeStyle = context.fillStyle = colour.ink;
        context.font = `600 ${face(9.5)}`;
        context.textAlign = 'left';
        context.textBaseline = 'middle';
        for (let decade = lowest; decade <= highest; decade *= 10) {
            context.lineWidth = 1.3;
            context.beginPath();
            context.moveTo(left, y(decade));
            context.lineTo(left + staff * 0.55, y(decade));
            context.stroke();
            for (const part of [2, 3, 4, 5, 6, 7, 8, 9]) {
                if (decade * part > highest) break;
                context.lineWidth = 0.9;
                context.beginPath();
                context.moveTo(left, y(decade * part));
                context.lineTo(left + staff * (part === 5 ? 0.38 : 0.22), y(decade * part));
                context.stroke();
            }
        }
    }

    /** As wide as a link with that load, with the numbers of the scale. */
    #wedge(context, colour, x, y) {
        context.beginPath();
        context.moveTo(x, y(lowest));
        for (let decade = lowest; decade <= highest; decade *= 1.5) context.lineTo(x + width(decade), y(decade));
        context.lineTo(x, y(highest));
        context.closePath();
        context.fillStyle = colour['water-3'];
        context.fill();
        context.fillStyle = colour.muted;
        context.font = face(10);
        context.textAlign = 'left';
        context.textBaseline = 'middle';
        for (let decade = lowest; decade <= highest; decade *= 10) {
            const { number, unit } = bitRateParts(decade);
            context.fillText(`${Number(number)}${unit.replace('b/s', '')}`, x + 15, y(decade));
        }
    }

    #reading(context, colour, left, staff, level) {
        context.strokeStyle = colour['water-4'];
        context.lineWidth = 2;
        context.beginPath();
        context.moveTo(left - 6, level);
        context.lineTo(left + staff + 4, level);
        context.stroke();
        const { number, unit } = bitRateParts(this.#total);
        context.fillStyle = colour.ink;
        context.font = `650 ${face(19)}`;
        context.textAlign = 'left';
        context.textBaseline = 'alphabetic';
        context.fillText(number, left - 1, 30);
        const wide = context.measureText(number).width;
        context.fillStyle = colour.muted;
        context.font = face(11.5);
        context.fillText(unit, left + wide + 3, 30);
    }

    #pointer(context, colour, x, y) {
        const mark = (bits, style) => {
            context.beginPath();
            context.moveTo(x - 4, y(bits));
            context.lineTo(x + 8, y(bits) - 5);
            context.lineTo(x + 8, y(bits) + 5);
            context.closePath();
            context.fillStyle = style;
            context.fill();
        };
        if (this.#load.capacityBitsPerSecond) mark(this.#load.capacityBitsPerSecond, colour.muted);
        mark(busier(this.#load), colour.flood);
    }

    /** On a phone: the staff laid down. */
    #lying(context, w, h) {
        const colour = colours();
        const [left, right] = [10, w - 84];
        const x = bits => left + height(bits) * (right - left);
        const [top, staff] = [5, h - 22];
        const outline = new Path2D();
        outline.roundRect(left - 4, top, right - left + 8, staff, 3);
        context.fillStyle = colour.raised;
        context.fill(outline);
        context.save();
        context.clip(outline);
        context.fillStyle = colour['water-2'];
        context.globalAlpha = 0.85;
        context.fillRect(0, 0, x(this.#total), h);
        context.restore();
        context.strokeStyle = colour.ink;
        context.lineWidth = 1.2;
        context.stroke(outline);
        context.textAlign = 'center';
        context.textBaseline = 'alphabetic';
        context.font = face(10);
        for (let decade = lowest; decade <= highest; decade *= 10) {
            context.beginPath();
            context.moveTo(x(decade), top + staff);
            context.lineTo(x(decade), top + staff * 0.45);
            context.stroke();
            const { number, unit } = bitRateParts(decade);
            context.fillStyle = colour.muted;
            context.fillText(`${Number(number)}${unit.replace('b/s', '')}`, x(decade), h - 4);
        }
        context.fillStyle = colour.ink;
        context.textAlign = 'right';
        context.font = `700 ${face(12)}`;
        context.fillText(bitRate(this.#total), w - 8, top + staff / 2 + 4);
    }
}
