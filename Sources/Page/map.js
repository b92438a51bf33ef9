// The map: arranges what is to be seen, draws it, and lets a person look around and choose.
import { Camera, steer } from './camera.js';
import { byId, fitted, prefersStillness } from './dom.js';
import { FreeArrangement } from './free.js';
import { Gauge } from './gauge.js';
import { mapKeys } from './keyboard.js';
import { choose } from './layers.js';
import { Painter } from './painter.js';
import { Scene } from './scene.js';
import { sections } from './sections.js';
import { onTheme } from './theme.js';
import { showTip, speak } from './words.js';

const tween = 320;
/** Milliseconds: a drawing that takes longer is dear; a camera that has not moved for so long rests. */
const dear = 34;
const resting = 120;

export class MapView extends EventTarget {
    layers = new Set(['physical', 'layer2', 'tunnel', 'communication']);
    network = '';
    /** `levels` or `free`. */
    arrangement = 'levels';
    selected = null;
    hovered = null;
    focused = null;
    scene = null;
    gauge = new Gauge();
    #painter = new Painter();
    #over = byId('over');
    #base = byId('base');
    #size = { width: 0, height: 0 };
    #due = { base: false, over: false };
    #visible = null;
    #tween = null;
    #stale = true;
    /** From the latest whole drawing to the frame after it, milliseconds, and the camera it was made with. */
    #cost = 0;
    #drawn = null;
    #movedAt = 0;
    #settle = null;

    constructor(model) {
        super();
        this.model = model;
        this.camera = new Camera(() => this.#size, () => {
            this.#movedAt = performance.now();
            this.#request(true);
        });
        this.free = new FreeArrangement(arrangement => this.#show(arrangement), why => this.#withoutLibrary(why));
        model.addEventListener('change', event => this.#modelChanged(event.detail));
        new ResizeObserver(() => this.#resized()).observe(byId('ground'));
        onTheme(() => this.#request(true));
        steer(this.#over, this.camera, {
            pressed: (x, y) => this.select(this.keyAt(x, y)), over: (x, y) => this.#hover(x, y), left: () => this.#hover(null),
        });
        mapKeys(this.#over, this);
        byId('zoom-in').onclick = () => this.camera.zoom(1.35);
        byId('zoom-out').onclick = () => this.camera.zoom(1 / 1.35);
        byId('zoom-fit').onclick = () => this.fit();
    }

    // MARK: what is shown

    /** Layers, network or arrangement were chosen anew. */
    rearrange({ keepCamera = false } = {}) {
        if (!this.#size.width) return void (this.#stale = true);
        this.#stale = false;
        this.#visible = choose(this.model, this.layers, this.network);
        if (!keepCamera) this.camera.follows = true;
        const why = this.model.entities.size ? 'Nothing to show: choose another layer or network.' : 'Waiting for the agent…';
        this.#notice(this.#visible.nodes.length ? null : why);
        const aspect = this.#size.width / Math.max(200, this.#size.height);
        if (this.arrangement === 'free') {
            // Links come and go all the time: the nodes stay where they are.
            if (keepCamera && this.#isPlaced()) this.#show(this.scene.arrangement);
            else this.free.arrange(this.model, this.#visible, aspect);
        }
        else {
            this.free.stop();
            this.#move(sections(this.model, this.#visible, this.#size));
        }
    }

    /** Every node that is to be seen has its place in the free arrangement already. */
    #isPlaced() {
        const arrangement = this.scene?.arrangement;
        if (!arrangement || arrangement.curved) return false;
        const parents = new Set(this.#visible.nodes.map(node => node.parent));
        return this.#visible.nodes.every(node => arrangement.place.has(node.key) || node.kind === 'namespace' || parents.has(node.key));
    }

    #modelChanged(what) {
        if (what === 'things') return this.rearrange({ keepCamera: true });
        if (what === 'attributes') this.#renew();
        this.#painter.refresh();
        this.#request(true);
        if (this.hovered && what === 'loads') this.gauge.point(this.model.links.get(this.hovered)?.load ?? null);
    }

    /** Entities and links are values: the scene takes the newer ones. */
    #renew() {
        if (!this.scene) return;
        for (const node of this.scene.nodes) {
            node.entity = this.model.entities.get(node.key) ?? node.entity;
            node.label = this.model.label(node.entity);
        }
        for (const drawn of this.scene.links) drawn.link = this.model.links.get(drawn.key) ?? drawn.link;
    }

    /** Goes over to an arrangement; few nodes glide to their new places. */
    #move(next) {
        const before = this.scene?.arrangement;
        if (!before?.curved || !next.curved || next.place.size > 400 || prefersStillness()) return this.#show(next);
        this.#tween = { before, next, start: performance.now() };
        this.#show(between(before, next, 0));
    }

    #show(arrangement) {
        const visible = this.#visible;
        if (!visible) return;
        this.scene = new Scene(this.model, visible, arrangement);
        this.#painter.setScene(this.scene, this.model);
        if (this.focused && !this.scene.index.has(this.focused)) this.focused = null;
        if (this.camera.follows && !this.#tween) this.#fit();
        this.#request(true);
        if (!this.#tween) this.dispatchEvent(new CustomEvent('scene'));
    }

    #fit() {
        const levels = this.scene.arrangement.curved && this.#size.width > 700;
        // Of the names of the levels, the legend, and on a phone the buttons.
        this.camera.fit(this.scene.bounds, { left: levels ? 80 : 14, right: this.#size.width > 700 ? 18 : 14, top: 18, bottom: 46 });
    }

    fit() {
        if (!this.scene) return;
        this.#fit();
        this.#request(true);
    }

    #withoutLibrary(why) {
        this.arrangement = 'levels';
        this.dispatchEvent(new CustomEvent('arrangement'));
        this.rearrange();
        const words = 'The free arrangement needs d3-force, which is not installed on the agent’s machine: apt install node-d3-force';
        this.#notice(words, why);
    }

    #notice(text, why = '') {
        const notice = byId('map-notice');
        notice.hidden = !text;
        notice.textContent = text ?? '';
        notice.title = why;
    }

    // MARK: choosing

    keyAt(x, y) {
        if (!this.scene) return null;
        const [wx, wy] = this.camera.toWorld(x, y);
        const { k } = this.camera;
        const found = this.scene.nodeAt(wx, wy, Math.max(9, 11 / k)) ?? this.scene.linkAt(wx, wy, 7 / k) ?? this.scene.blockAt(wx, wy);
        return found?.key ?? null;
    }

    select(key) {
        this.selected = key;
        if (key && this.scene?.index.has(key)) this.focused = null;
        this.#request(false);
        this.dispatchEvent(new CustomEvent('select', { detail: key }));
    }

    /** Chooses something and brings it into view. */
    reveal(key) {
        const node = this.scene?.index.get(key) ?? this.scene?.blockIndex.get(key);
        const link = this.scene?.linksOf.get(key);
        if (node) this.camera.reveal(node.x + (node.h ? node.w / 2 : 0), node.y + (node.h ?? 0) / 2);
        else if (link && !Array.isArray(link)) this.camera.reveal((link.a.x + link.b.x) / 2, (link.a.y + link.b.y) / 2);
        this.select(key);
    }

    focus(node) {
        if (!node) return;
        this.focused = node.key;
        this.camera.reveal(node.x, node.y);
        speak(this.model, node.key);
        this.#request(false);
    }

    /** Marks a thing that a list elsewhere points at. */
    highlight(key) {
        if (this.hovered === key) return;
        this.hovered = key;
        this.gauge.point(this.model.links.get(key)?.load ?? null);
        this.#request(false);
    }

    #hover(x, y) {
        const key = x === null ? null : this.keyAt(x, y);
        this.#over.style.cursor = key ? 'pointer' : 'grab';
        showTip(this.model, key, x, y, this.#size);
        this.highlight(key);
    }

    // MARK: drawing

    #resized() {
        const { width, height } = byId('ground').getBoundingClientRect();
        if (!width || !height) return;
        this.#size = { width, height };
        if (this.#stale || !this.scene) this.rearrange({ keepCamera: !this.#stale });
        else if (this.camera.follows) this.rearrange();
        this.#request(true);
    }

    #request(base) {
        const idle = !this.#due.base && !this.#due.over;
        this.#due.base ||= base;
        this.#due.over = true;
        if (idle) requestAnimationFrame(() => this.#frame());
    }

    #frame() {
        const { base } = this.#due;
        this.#due = { base: false, over: false };
        if (this.#tween) this.#advance();
        const { width, height } = this.#size;
        if (!width) return;
        if (base && !this.#drawDraft()) this.#drawWhole();
        const { context, density } = fitted(this.#over, width, height);
        this.#painter.drawOver(context, density, this.camera, this.#size, this);
    }

    #drawWhole() {
        const { width, height } = this.#size;
        const start = performance.now();
        const { context, density } = fitted(this.#base, width, height);
        this.#painter.draw(context, density, this.camera, this.#size);
        // Canvases only note what is to be drawn: what it took is known by the next frame.
        requestAnimationFrame(() => { this.#cost = performance.now() - start; });
        this.#drawn = { x: this.camera.x, y: this.camera.y, k: this.camera.k, width };
        this.#base.style.transform = '';
    }

    /** While the camera moves over a drawing that takes long, the one there is is moved along, and made anew when the camera rests. */
    #drawDraft() {
        const drawn = this.#drawn;
        const isMoving = performance.now() - this.#movedAt < resting;
        if (!isMoving || this.#cost < dear || !drawn || drawn.width !== this.#size.width) return false;
        const { x, y, k } = this.camera;
        const s = k / drawn.k;
        const { width, height } = this.#size;
        this.#base.style.transformOrigin = '0 0';
        const [left, top] = [(drawn.x - x) * k + (1 - s) * width / 2, (drawn.y - y) * k + (1 - s) * height / 2];
        this.#base.style.transform = `translate(${left}px, ${top}px) scale(${s})`;
        clearTimeout(this.#settle);
        this.#settle = setTimeout(() => this.#request(true), resting + 10);
        return true;
    }

    #advance() {
        const { before, next, start } = this.#tween;
        const part = Math.min(1, (performance.now() - start) / tween);
        if (part >= 1) this.#tween = null;
        this.#show(part >= 1 ? next : between(before, next, 1 - (1 - part) ** 3));
        if (part < 1) this.#request(true);
    }
}

/** An arrangement on the way from one to another. What is new is where it will be. */
function between(before, next, part) {
    const mix = (a, b) => a + (b - a) * part;
    const place = new Map();
    for (const [key, to] of next.place) {
        const from = before.place.get(key);
        place.set(key, from ? { x: mix(from.x, to.x), y: mix(from.y, to.y), w: mix(from.w, to.w) } : to);
    }
    const old = new Map(before.blocks.map(block => [block.key, block]));
    const blocks = next.blocks.map(to => {
        const from = old.get(to.key);
        return from ? { ...to, x: mix(from.x, to.x), y: mix(from.y, to.y), w: mix(from.w, to.w), h: mix(from.h, to.h) } : to;
    });
    return { ...next, place, blocks };
}
