// A fan chart: what was as a line, what is expected as nested bands (Britton, Fisher, Whitley: Bank of England Quarterly Bulletin, February
// 1998), and over the past what had been expected of it. What goes forward is above the line, what comes back below it.
import { axis, ceiling, mark, rule, upright } from './chart.js';
import { face, fitted } from './dom.js';
import { when } from './format.js';
import { colours } from './theme.js';

/** Bands for steps further apart than this are no course: each is drawn by itself. */
const course = 2;
/** Milliseconds. */
const lateAfter = 10000;
/** Of the highest that was, or that is expected in the middle: quantiles beyond are cut off at the chart's edge. */
const tallest = 3;

/** Where the chart begins and ends, and what it has of each direction. @param report of `GET /v1/forecast`. */
export function fanOf(report) {
    const now = Date.parse(report.from);
    const step = report.stepSeconds * 1000;
    const ahead = Math.max(0, ...report.directions.map(direction => direction.quantiles?.length ?? 0));
    const known = Math.max(1, ...report.directions.map(direction => direction.past.length));
    const behind = Math.min(known, Math.max(ahead, 60));
    const directions = report.directions.map(direction => ({ ...direction, past: direction.past.slice(-behind) }));
    // Of an agent that is behind, its last step is not now.
    const isLate = report.at && Date.parse(report.at) - now > Math.max(2 * step, lateAfter);
    const mark = isLate ? when(now) : 'now';
    return { now, step, ahead, behind, directions, unit: report.unit, from: now - behind * step, to: now + ahead * step, mark };
}

/** Nothing came and nothing is expected. */
export const isNothing = ({ past, quantiles }) => past.every(value => !value) && (quantiles ?? []).every(row => row.at(-1) === 0);

/** @param lead whether the bands that were forecast so early are shown, by `leadSeconds`. */
export function fanScale(fan, isShown) {
    const most = direction => {
        if (!direction || isNothing(direction)) return 0;
        const rows = direction.quantiles ?? [];
        const plain = [...direction.past.map(value => value ?? 0), ...rows.map(row => row[5])];
        const bands = direction.earlier.filter(({ leadSeconds }) => isShown(leadSeconds)).flatMap(({ bands }) => bands.map(band => band.high));
        const limit = tallest * Math.max(...plain);
        return Math.max(...plain, ...[...rows.map(row => row.at(-1)), ...bands].map(value => Math.min(value, limit)));
    };
    const [forward, back] = fan.directions;
    const top = ceiling(most(forward));
    if (fan.unit === '%') return { floor: 0, top: Math.min(100, top), bottom: 0 };
    const least = Math.min(...forward.past.filter(value => value !== null), ...(forward.quantiles ?? []).map(row => row[0]));
    // What is never near nothing, as memory, would be a flat line over it.
    if (fan.directions.length > 1 || !(least > most(forward) / 2)) return { floor: 0, top, bottom: most(back) > 0 ? ceiling(most(back)) : 0 };
    const grain = ceiling(Math.max(most(forward) - least, most(forward) / 100) / 4);
    return { floor: Math.floor(least / grain) * grain, top: Math.ceil(most(forward) / grain) * grain, bottom: 0 };
}

/** @param hover place of a step, the first one of the future being 0; null for none. */
export function drawFan(canvas, fan, { scale, hover = null, isShown, format }) {
    const { width: w, height: h } = canvas.getBoundingClientRect();
    if (!w || !h) return;
    const { context } = fitted(canvas, w, h);
    const colour = colours();
    context.clearRect(0, 0, w, h);
    context.lineJoin = 'round';
    const { floor, top, bottom } = scale;
    const [upper, lower] = [16, h - 16];
    const share = bottom > 0 ? Math.min(0.85, Math.max(0.15, bottom / (top + bottom))) : 0;
    const line = lower - (lower - upper) * share;
    const pixels = Math.min((line - upper) / (top - floor), bottom > 0 ? (lower - line) / bottom : Infinity);
    const x = at => (at - fan.from) / (fan.to - fan.from) * w;
    const middle = place => x(fan.now + (place + 0.5) * fan.step);
    const sides = [value => line - (Math.min(value, top) - floor) * pixels, value => line + Math.min(value, bottom) * pixels];
    fan.directions.slice(0, bottom > 0 ? 2 : 1).forEach((direction, side) => {
        const y = value => Math.max(upper - 2, Math.min(lower + 2, sides[side](value)));
        for (const early of direction.earlier) if (isShown(early.leadSeconds)) drawEarlier(context, colour, early, middle, y, fan);
        drawBands(context, colour, direction, middle, y);
        drawPast(context, colour, direction.past, middle, y);
        if (hover !== null) drawPoint(context, colour, direction, hover, middle, y);
    });
    rule(context, colour.rule, 0, w, line, []);
    axis(context, colour, fan, x, 0, w, h);
    // Each its own number, where there is room for both.
    if (top >= bottom || (top - floor) * pixels > 30) mark(context, colour, 0, w, line - (top - floor) * pixels, -4, format(top));
    if (bottom > top || bottom * pixels > 30) mark(context, colour, 0, w, line + bottom * pixels, -3, format(bottom));
    if (floor > 0) mark(context, colour, 0, w, line, -3, format(floor));
    if (fan.ahead) drawNow(context, colour, x(fan.now), upper, lower, fan.mark);
    if (hover !== null) upright(context, colour.ink, middle(hover), upper, lower);
}

/** From one line of points to another, there and back. */
function ribbon(context, low, high) {
    context.beginPath();
    low.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    for (let i = high.length - 1; i >= 0; i--) context.lineTo(...high[i]);
    context.closePath();
    context.fill();
}

function stroke(context, style, width, points) {
    context.beginPath();
    points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.strokeStyle = style;
    context.lineWidth = width;
    context.stroke();
}

/** The narrower the band the darker: each lies on the wider ones. */
function drawBands(context, colour, { past, quantiles }, middle, y) {
    if (!quantiles) return;
    // They spread from what was measured last.
    const last = past.at(-1) ?? null;
    const line = level => [...(last === null ? [] : [[middle(-1), y(last)]]), ...quantiles.map((row, place) => [middle(place), y(row[level])])];
    const levels = quantiles[0].length;
    context.fillStyle = colour['water-2'];
    context.globalAlpha = 0.22;
    for (let level = 0; level < (levels - 1) / 2; level++) ribbon(context, line(level), line(levels - 1 - level));
    context.globalAlpha = 1;
    stroke(context, colour['water-4'], 1.75, line((levels - 1) / 2));
}

/** What was forecast for step after step is a veil; of what was kept now and then, each is a staff with its median. */
function drawEarlier(context, colour, { bands }, middle, y, fan) {
    const near = bands.filter(band => band.stepsAgo <= fan.behind);
    let part = [];
    near.forEach((band, index) => {
        part.push(band);
        if (index + 1 < near.length && band.stepsAgo - near[index + 1].stepsAgo <= course) return;
        if (part.length === 1) drawStaff(context, colour, middle(-band.stepsAgo), y(band.low), y(band.median), y(band.high));
        else {
            const line = member => part.map(one => [middle(-one.stepsAgo), y(one[member])]);
            context.fillStyle = colour['water-1'];
            context.globalAlpha = 0.5;
            ribbon(context, line('low'), line('high'));
            context.globalAlpha = 1;
        }
        part = [];
    });
}

function drawStaff(context, colour, x, low, median, high) {
    stroke(context, colour.vanished, 1.25, [[x, low], [x, high]]);
    context.fillStyle = colour.vanished;
    context.fillRect(x - 2, median - 1, 4, 2);
}

/** Where nothing was measured there is a gap. */
function drawPast(context, colour, past, middle, y) {
    let points = [];
    past.forEach((value, index) => {
        const place = index - past.length;
        if (value !== null) points.push([middle(place), y(value)]);
        if (value !== null && index < past.length - 1) return;
        if (points.length === 1) points.unshift([points[0][0] - 1, points[0][1]]);
        stroke(context, colour.ink, 1.25, points);
        points = [];
    });
}

function drawPoint(context, colour, { past, quantiles }, hover, middle, y) {
    const value = hover < 0 ? past[past.length + hover] : quantiles?.[hover]?.[5];
    if (value === null || value === undefined) return;
    context.beginPath();
    context.arc(middle(hover), y(value), 3.5, 0, 7);
    context.fillStyle = hover < 0 ? colour.ink : colour['water-4'];
    context.fill();
}

function drawNow(context, colour, x, upper, lower, text) {
    context.setLineDash([2, 2]);
    upright(context, colour.muted, x, upper - 4, lower);
    context.setLineDash([]);
    context.font = face(10);
    context.textAlign = 'center';
    context.fillStyle = colour.muted;
    context.fillText(text, x, upper - 6);
}
