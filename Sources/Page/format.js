// Numbers, times and kinds in words. Three significant digits; decimal prefixes, as rates have them.

function scaled(value, units, step = 1000) {
    let index = 0;
    let rest = Math.abs(value);
    while (rest >= step * 0.9995 && index < units.length - 1) {
        rest /= step;
        index += 1;
    }
    const digits = index === 0 && Number.isInteger(rest) ? 0 : rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
    return { number: (value < 0 ? '−' : '') + rest.toFixed(digits), unit: units[index] };
}

const text = ({ number, unit }) => `${number} ${unit}`;

export const bitRateParts = value => scaled(value ?? 0, ['b/s', 'kb/s', 'Mb/s', 'Gb/s', 'Tb/s']);
export const packetRateParts = value => scaled(value ?? 0, ['p/s', 'kp/s', 'Mp/s', 'Gp/s']);
export const byteParts = value => scaled(value ?? 0, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
export const microsecondParts = value => scaled(value ?? 0, ['µs', 'ms', 's']);
export const bitRate = value => text(bitRateParts(value));
export const packetRate = value => text(packetRateParts(value));
const flowParts = value => scaled(value ?? 0, ['flows', 'k flows', 'M flows']);
const byteRateParts = value => {
    const { number, unit } = byteParts(value);
    return { number, unit: `${unit}/s` };
};
const unitParts = {
    'bit/s': bitRateParts, 'packet/s': packetRateParts, 'B/s': byteRateParts, B: byteParts, flows: flowParts,
    '%': value => ({ number: (value ?? 0).toFixed(value < 99.95 ? 1 : 0), unit: '%' }),
};
/** A value of a series, in the unit that the agent tells. */
export const partsIn = (unit, value) => (unitParts[unit] ?? (number => scaled(number ?? 0, [unit])))(value);
export const textIn = (unit, value) => text(partsIn(unit, value));
/** From one value to another, with the unit once where that is the same. */
export function rangeIn(unit, low, high) {
    const [from, to] = [partsIn(unit, Math.max(0, low)), partsIn(unit, high)];
    return from.unit === to.unit ? `${from.number} – ${text(to)}` : `${text(from)} – ${text(to)}`;
}
export const percent = share => `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;
/** A count with thin spaces between thousands. */
export const count = value => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, '\u2009');

/** Milliseconds of an RFC 3339 text, or of a number of milliseconds. */
export const moment = at => (typeof at === 'number' ? at : Date.parse(at));
/** As the API takes moments. */
export const stamp = at => new Date(at).toISOString();

const two = number => String(number).padStart(2, '0');
export function clock(at, seconds = true) {
    const date = new Date(moment(at));
    return `${two(date.getHours())}:${two(date.getMinutes())}${seconds ? `:${two(date.getSeconds())}` : ''}`;
}
export function day(at) {
    const date = new Date(moment(at));
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
/** The time of day, with the day where that is not today. */
export const when = at => (day(at) === day(Date.now()) ? clock(at) : `${day(at)} ${clock(at)}`);

export function span(milliseconds) {
    const seconds = Math.max(0, Math.round(milliseconds / 1000));
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60 ? `${seconds % 60} s` : ''}`.trim();
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)} min`;
    return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

/** A span without parts that are nothing: `1 h`, `2 h 30 min`. */
export const plainSpan = milliseconds => span(milliseconds).replace(/(?<=[dh]) 0+ (h|min)$/, '').replace(/ 0(\d)/, ' $1');

export const layerNames = {
    physical: 'Hosts', layer2: 'Layer 2', layer3: 'Layer 3', tunnel: 'Tunnels', communication: 'Traffic',
};
const kindNames = {
    fdb: 'forwarding entry', veth: 'veth pair', wire: 'wire', port: 'bridge port', talk: 'communication', stack: 'stacked on',
    attachment: 'address on', gateway: 'gateway', vtep: 'tunnels begin at', serves: 'serves', translation: 'translated to',
    station: 'MAC address',
};
export const kind = name => kindNames[name] ?? name;
/** A value of an attribute as text. */
export const attribute = value =>
    Array.isArray(value) ? value.join(', ') : value === true ? 'yes' : value === false ? 'no' : String(value ?? 'none');
/** An address with its port, as RFC 3986 writes them. */
export const place = (address, port) =>
    (port === undefined ? address ?? '?' : address?.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);
