// One small chart of a rate over time: what goes forward above the line, what comes back below it, the capacity as a bed.
import { face, fitted } from './dom.js';
import { clock, day } from './format.js';
import { colours } from './theme.js';

/** The next round number that is not under a value. */
export function ceiling(value) {
    if (!(value > 0)) return 1;
    const decade = 10 ** Math.floor(Math.log10(value));
    return [1, 1.5, 2, 3, 4, 5, 7.5, 10].map(step => step * decade).find(step => step >= value * 0.999);
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

/** @param series {from, to, values, reverse?, capacity?} with moments in milliseconds. @param top of the scale.
 *  @param hover moment under the pointer, or null. @param compact: without an axis. */
export function drawChart(canvas, series, { top, hover = null, format, compact = false }) {
    const { width: w, height: h } = canvas.getBoundingClientRect();
    if (!w || !h) return;
    const { context } = fitted(canvas, w, h);
    const colour = colours();
    context.clearRect(0, 0, w, h);
    const [left, right, upper, lower] = compact ? [0, w, 3, h - 3] : [0, w, 15, h - 16];
    const hasReverse = series.reverse?.some(value => value > 0);
    const most = (hasReverse ? Math.max(...series.reverse.map(v => v ?? 0)) : 0) / top;
    const line = hasReverse ? lower - (lower - upper) * Math.min(0.5, Math.max(0.18, most / (1 + most))) : lower;
    const x = at => left + (at - series.from) / (series.to - series.from) * (right - left);
    const up = value => line - Math.min(1, value / top) * (line - upper);
    const scale = hasReverse ? Math.min((line - upper) / top, (lower - line) / Math.max(1, most * top)) : 0;
    const down = value => line + value * scale;
    if (series.capacity && series.capacity <= top) rule(context, colour.silt, left, right, up(series.capacity), [4, 3]);
    const step = (series.to - series.from) / series.values.length;
    area(context, series.values, series.from, step, x, up, line, colour['water-2'], colour['water-4']);
    if (hasReverse) area(context, series.reverse, series.from, step, x, down, line, colour['water-1'], colour['water-3']);
    rule(context, colour.rule, left, right, line, []);
    if (!compact) axis(context, colour, series, x, left, right, h, format(top), upper);
    if (hover !== null && hover >= series.from && hover <= series.to) rule2(context, colour.ink, x(hover), upper, lower);
}

function rule(context, style, x1, x2, y, dash) {
    context.beginPath();
    context.setLineDash(dash);
    context.moveTo(x1, y);
    context.lineTo(x2, y);
    context.strokeStyle = style;
    context.lineWidth = 1;
    context.stroke();
    context.setLineDash([]);
}

function rule2(context, style, x, y1, y2) {
    context.beginPath();
    context.moveTo(x, y1);
    context.lineTo(x, y2);
    context.strokeStyle = style;
    context.lineWidth = 1;
    context.stroke();
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

function axis(context, colour, series, x, left, right, h, text, upper) {
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
    context.textAlign = 'left';
    rule(context, colour.rule, left, right, upper, [1, 3]);
    context.fillText(text, left + 1, upper - 4);
}
