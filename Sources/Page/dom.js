// Making and changing elements. Text from outside gets into the page here alone, and always as text.

/** An element. Attributes are set as given; `onclick` and the like are listeners; false, null and undefined leave one out. */
export function h(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (value === false || value === null || value === undefined) continue;
        if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
        else element.setAttribute(key, value === true ? '' : value);
    }
    element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
    return element;
}

export const byId = id => document.getElementById(id);

/** A number with its unit, each in a column of its own. */
export function measured({ number, unit }, extra = '') {
    return h('span', { class: `measured ${extra}` }, h('span', { class: 'number' }, number), h('span', { class: 'unit' }, unit));
}

/** A row of buttons of which some are pressed. `choices`: [value, text, title]. `pressed(value)` tells which. */
export function toggles(place, choices, pressed, choose) {
    const buttons = choices.map(([value, text, title]) =>
        h('button', { type: 'button', title, 'data-value': value, onclick: () => { choose(value); show(); } }, text));
    const show = () => buttons.forEach(button => button.setAttribute('aria-pressed', String(pressed(button.dataset.value))));
    place.replaceChildren(...buttons);
    show();
    return show;
}

/** Canvas and context in CSS pixels, sharp on dense screens. Resizes only when the size has changed. */
export function fitted(canvas, width, height) {
    const density = Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [Math.max(1, Math.round(width * density)), Math.max(1, Math.round(height * density))];
    if (canvas.width !== w || canvas.height !== h) {
        canvas.width = w;
        canvas.height = h;
    }
    const context = canvas.getContext('2d');
    context.setTransform(density, 0, 0, density, 0, 0);
    return { context, density };
}

/** A font for canvases, which see no custom properties: that of --sans in style.css. */
export const face = size => `${size}px Inter, Cantarell, Ubuntu, "Noto Sans", "DejaVu Sans Condensed", system-ui, sans-serif`;

export const prefersStillness = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
