// How a load looks: the width and colour of a link. The gauge beside the map shows the same scale, so it is the map's legend.

export const lowest = 1e3;
export const highest = 1e11;

/** 0…1 on the gauge, logarithmic from 1 kb/s to 100 Gb/s. */
export function height(bits) {
    if (!(bits > lowest)) return 0;
    return Math.min(1, Math.log10(bits / lowest) / Math.log10(highest / lowest));
}

/** Of a link, in pixels at scale 1. */
export const width = bits => 0.8 + 11 * height(bits) ** 3;

/** The busier direction, which is the one that the capacity of a link bounds. */
export const busier = load => Math.max(load?.bitsPerSecond ?? 0, load?.reverseBitsPerSecond ?? 0);

/** 0…1 of the capacity; null where that is not known. */
export const utilisation = load => (load?.capacityBitsPerSecond ? busier(load) / load.capacityBitsPerSecond : null);

export const silt = 0.5;
export const flood = 0.8;
export const colourNames = ['water-1', 'water-2', 'water-3', 'water-4', 'silt', 'flood'];

/** An index of ``colourNames``: water by the rate, silt and flood by the share of the capacity. */
export function colour(load) {
    const share = utilisation(load);
    if (share !== null && share >= flood) return 5;
    if (share !== null && share >= silt) return 4;
    const bits = busier(load);
    return bits < 1e5 ? 0 : bits < 1e7 ? 1 : bits < 1e9 ? 2 : 3;
}
