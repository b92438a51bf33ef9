// One small chart of a rate over time: what goes forward above the line, what comes back below it, the capacity as a bed.
import { face, fitted } from './dom.js';
import { clock, day } from './format.js';
import { outlined } from './labels.js';
import { colours } from './theme.js';

/** The next round number that is not under a value. */
export function ceiling(value) {
    if (!(value > 0)) return 1;
    const decade = 10 ** Math.floor(Math.log10(value));
    return [1, 1.5, 2, 3, 4, 5, 7.5, 10].map(step => step * decade).find(step => step >= value * 0.999);
}

/** Round numbers that the rates of both directions stay under. */
export function scaleOf(values, reverse = []) {
    const most = list => list.reduce((highest, value) => Math.max(highest, value ?? 0), 0);
    return { top: ceiling(Math.max(1, most(values))), bottom: most(reverse) > 0 ? ceiling(most(reverse)) : 0 };
}

/** Moments for the axis: full minutes, hours or days, at most `most`. */
export function marks(from, to, most) {
    const steps = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800].map(s => s * 1000);
    const step = steps.find(s => (to - from) / s <= most) ?? steps.at(-1);
    const offset = new Date(from).getTimezoneOffset() * 60000;
    const found = [];
    for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step) {
        found.push({ at, text: step >= 86400000 ? day(at).slice(5) : clock(at, false) });
    }
    return found;
}

/** @param series {from, to, values, reverse?, capacity?} with moments in milliseconds. @param scale from ``scaleOf``: both directions are
 *  drawn to the same. @param hover moment under the pointer, or null. @param compact: without an axis. */
export function drawChart(canvas, series, { scale: { top, bottom }, hover = null, format, compact = false }) {
    const { width: w, height: h } = canvas.getBoundingClientRect();
    if (!w || !h) return;
    const { context } = fitted(canvas, w, h);
    const colour = colours();
    context.clearRect(0, 0, w, h);
    const [left, right, upper, lower] = compact ? [0, w, 3, h - 3] : [0, w, 15, h - 16];
    const hasReverse = bottom > 0;
    // Neither side is squeezed to nothing.
    const share = hasReverse ? Math.min(0.85, Math.max(0.15, bottom / (top + bottom))) : 0;
    const line = lower - (lower - upper) * share;
    const pixels = Math.min((line - upper) / top, hasReverse ? (lower - line) / bottom : Infinity);
    const x = at => left + (at - series.from) / (series.to - series.from) * (right - left);
    const up = value => line - Math.min(value, top) * pixels;
    const down = value => line + Math.min(value, bottom) * pixels;
    if (series.capacity && series.capacity <= top) rule(context, colour.silt, left, right, up(series.capacity), [4, 3]);
    const step = (series.to - series.from) / series.values.length;
    area(context, series.values, series.from, step, x, up, line, colour['water-2'], colour['water-4']);
    if (hasReverse) area(context, series.reverse, series.from, step, x, down, line, colour['water-1'], colour['water-3']);
    rule(context, colour.rule, left, right, line, []);
    if (!compact) {
        axis(context, colour, series, x, left, right, h);
        // Each its own number, where there is room for both.
        const [highest, lowest] = [up(top), down(bottom)];
        const isTopFirst = top >= bottom;
        if (isTopFirst || line - highest > 26) mark(context, colour, left, right, highest, -4, format(top));
        if (hasReverse && (!isTopFirst || lowest - line > 24)) mark(context, colour, left, right, lowest, -3, format(bottom));
    }
    if (hover !== null && hover >= series.from && hover <= series.to) upright(context, colour.ink, x(hover), upper, lower);
}

export function rule(context, style, x1, x2, y, dash) {
    context.beginPath();
    context.setLineDash(dash);
    context.moveTo(x1, y);
    context.lineTo(x2, y);
    context.strokeStyle = style;
    context.lineWidth = 1;
    context.stroke();
    context.setLineDash([]);
}

export function upright(context, style, x, y1, y2) {
    context.beginPath();
    context.moveTo(x, y1);
    context.lineTo(x, y2);
    context.strokeStyle = style;
    context.lineWidth = 1;
    context.stroke();
}

/** A line of the scale with its number. */
export function mark(context, colour, left, right, y, above, text) {
    rule(context, colour.rule, left, right, y, [1, 3]);
    context.textAlign = 'left';
    outlined(context, colour.surface, colour.muted, text, left + 1, y + above);
}

/** Filled to the line, stroked along the top; where nothing was measured there is a gap. */
function area(context, values, from, step, x, y, line, fill, stroke) {
    let start = -1;
    const flush = end => {
        if (start < 0) return;
        context.beginPath();
        context.moveTo(x(from + (start + 0.5) * step), line);
        for (let i = start; i < end; i++) context.lineTo(x(from + (i + 0.5) * step), y(values[i]));
        context.lineTo(x(from + (end - 0.5) * step), line);
        context.globalAlpha = 0.55;
        context.fillStyle = fill;
        context.fill();
        context.globalAlpha = 1;
        context.beginPath();
        for (let i = start; i < end; i++) context.lineTo(x(from + (i + 0.5) * step), y(values[i]));
        context.strokeStyle = stroke;
        context.lineWidth = 1.25;
        context.lineJoin = 'round';
        context.stroke();
        start = -1;
    };
    values.forEach((value, index) => {
        if (value === null) flush(index);
        else if (start < 0) start = index;
    });
    flush(values.length);
}

export function axis(context, colour, series, x, left, right, h) {
    context.fillStyle = colour.muted;
    context.strokeStyle = colour.rule;
    context.font = face(10);
    context.textBaseline = 'alphabetic';
    for (const mark of marks(series.from, series.to, Math.max(2, (right - left) / 62))) {
        const at = x(mark.at);
        if (at < left + 14 || at > right - 14) continue;
        context.beginPath();
        context.moveTo(at, h - 15);
        context.lineTo(at, h - 12);
        context.stroke();
        context.textAlign = 'center';
        context.fillText(mark.text, at, h - 2);
    }
}
