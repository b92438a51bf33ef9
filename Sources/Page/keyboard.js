// Keys on the map, and those of the whole page.
import { byId } from './dom.js';

const arrows = { ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down' };

export function mapKeys(element, map) {
    let link = -1;
    const step = by => {
        const key = map.focused ?? map.selected;
        const links = map.scene?.linksOf.get(key);
        if (!Array.isArray(links)) return;
        link = (link + by + links.length) % links.length;
        map.highlight(links[link].key);
        map.dispatchEvent(new CustomEvent('spoken', { detail: links[link].key }));
    };
    element.addEventListener('keydown', event => {
        if (event.ctrlKey || event.metaKey || event.altKey || !map.scene) return;
        const direction = arrows[event.key];
        if (direction && event.shiftKey) {
            map.camera.pan(...{ left: [60, 0], right: [-60, 0], up: [0, 60], down: [0, -60] }[direction]);
        } else if (direction) {
            const from = map.scene.index.get(map.focused ?? map.selected);
            map.focus(from ? map.scene.towards(from, direction) : first(map.scene));
            link = -1;
        } else if (event.key === 'Enter' || event.key === ' ') {
            map.select(link >= 0 ? map.hovered : map.focused);
        } else if (event.key === '.' || event.key === ',') step(event.key === '.' ? 1 : -1);
        else if (event.key === '+' || event.key === '=') map.camera.zoom(1.25);
        else if (event.key === '-') map.camera.zoom(0.8);
        else if (event.key === '0') map.fit();
        else if (event.key === 'Escape') {
            link = -1;
            map.highlight(null);
            map.select(null);
        } else return;
        event.preventDefault();
    });
}

/** The node at the upper left: where reading begins. */
function first(scene) {
    return scene.nodes.reduce((best, node) => (!best || node.x + node.y < best.x + best.y ? node : best), null);
}

/** `/` goes to what one types a search or filter into. */
export function pageKeys() {
    document.addEventListener('keydown', event => {
        if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.target.matches('input, select, textarea')) return;
        const field = [...document.querySelectorAll('#find, #filter')].find(element => element.offsetParent);
        if (!field) return;
        event.preventDefault();
        field.focus();
        field.select();
    });
    // Escape in a search field hands the keyboard back to the map.
    byId('find').addEventListener('keydown', event => { if (event.key === 'Escape') byId('over').focus(); });
}
