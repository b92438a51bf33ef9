// Light and dark: the system's choice, or the person's. What is drawn on canvases asks here for its colours.
import { byId } from './dom.js';

const order = ['auto', 'light', 'dark'];
const faces = { auto: '◐', light: '○', dark: '●' };
const listeners = new Set();
let cached = null;

function chosen() {
    return document.documentElement.dataset.theme ?? 'auto';
}

function choose(theme) {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
        if (theme === 'auto') localStorage.removeItem('nilometer.theme');
        else localStorage.setItem('nilometer.theme', theme);
    } catch {
        // Then it holds for as long as the page is open.
    }
    changed();
}

function changed() {
    cached = null;
    const button = byId('theme');
    button.textContent = faces[chosen()];
    button.setAttribute('aria-label', `Theme: ${chosen()}`);
    button.title = `Theme: ${chosen()} (press to change)`;
    for (const listener of listeners) listener();
}

/** The custom properties of the style sheet that canvases use, by name without the leading dashes. */
export function colours() {
    if (cached) return cached;
    const style = getComputedStyle(document.documentElement);
    const names = [
        'ground', 'surface', 'raised', 'ink', 'muted', 'faint', 'rule', 'water-1', 'water-2', 'water-3', 'water-4', 'silt', 'flood', 'bed',
        'appeared', 'vanished', 'changed', 'focus', 'block', 'block-edge', 'space',
    ];
    cached = Object.fromEntries(names.map(name => [name, style.getPropertyValue(`--${name}`).trim()]));
    return cached;
}

/** @returns what ends it. */
export function onTheme(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
}

export function startTheme() {
    byId('theme').addEventListener('click', () => choose(order[(order.indexOf(chosen()) + 1) % order.length]));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
    changed();
}
