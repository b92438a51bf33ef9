// Draws a scene on a canvas. Paths are built once for a scene and its loads, one for each look, and only stroked again when the camera
// moves.
import { face } from './dom.js';
import { colours } from './theme.js';
import { addGlyph, form, isDown, radius } from './glyphs.js';
import { fitting, Labels, outlined, sorted } from './labels.js';
import { busier, colour as shadeOf, colourNames, width } from './level.js';

const bold = `600 ${face(13)}`;
const crowd = 300;
const loudest = 60;
const veil = { order: -1, colour: 'water-3', width: 0, alpha: 0.16 };
export const signs = { appeared: '+', vanished: '−', changed: '~' };

export class Painter {
    #scene = null;
    #model = null;
    #buckets = null;
    #glyphs = null;
    #order = [];
    #labels = new Labels();

    setScene(scene, model) {
        this.#scene = scene;
        this.#model = model;
        this.#order = sorted(scene.nodes);
        this.#buckets = null;
        this.#glyphs = null;
    }

    /** Loads or marks are different: what hangs on them is made anew. */
    refresh() {
        this.#buckets = null;
        this.#glyphs = null;
    }

    draw(context, density, camera, size) {
        const scene = this.#scene;
        context.clearRect(0, 0, size.width, size.height);
        if (!scene) return;
        this.#buckets ??= this.#linkBuckets();
        this.#glyphs ??= this.#nodeBuckets();
        const colour = colours();
        this.#toWorld(context, density, camera, size);
        this.#drawBlocks(context, colour, camera.k);
        this.#drawLinks(context, colour, camera.k, density);
        this.#drawNodes(context, colour, camera.k);
        context.setTransform(density, 0, 0, density, 0, 0);
        this.#drawNames(context, colour, camera, size);
    }

    #toWorld(context, density, camera, size) {
        const k = camera.k * density;
        context.setTransform(k, 0, 0, k, (size.width / 2) * density - camera.x * k, (size.height / 2) * density - camera.y * k);
    }

    // MARK: paths

    #linkBuckets() {
        const buckets = new Map();
        const bucket = (name, style) => {
            if (!buckets.has(name)) buckets.set(name, { ...style, path: new Path2D() });
            return buckets.get(name).path;
        };
        const quietest = this.#quietest();
        const isCrowded = quietest > 0;
        for (const drawn of this.#scene.links) {
            const { link, course: c } = drawn;
            const add = path => {
                path.moveTo(c[0], c[1]);
                if (isCrowded && !this.#scene.arrangement.curved) path.lineTo(c[6], c[7]);
                else path.bezierCurveTo(c[2], c[3], c[4], c[5], c[6], c[7]);
            };
            const mark = this.#model.mark(drawn.key);
            if (mark && mark !== 'vanished') {
                add(bucket(`2${mark}`, { order: 9, colour: mark, width: 5, alpha: this.#model.isCompared ? 0.85 : 0.5, isMark: true }));
            }
            if (mark === 'vanished') add(bucket('ghost', { order: 2, colour: 'vanished', width: 1.3, dash: [4, 4], isMark: true }));
            else if (!link.load) {
                const isNoWay = link.layer === 'layer3' || link.kind === 'vtep' || link.kind === 'serves';
                const dash = isNoWay ? [1.5, 4] : [];
                add(bucket(`0${link.layer}${isNoWay}`, { order: 1, colour: 'faint', width: 1, dash }));
            } else if (isCrowded && link.kind === 'talk' && busier(link.load) < quietest) add(bucket('veil', veil));
            else this.#addLoaded(link, add, bucket, isCrowded);
        }
        return [...buckets.values()].sort((a, b) => a.order - b.order || a.width - b.width);
    }

    /** In a crowd only the loudest communication is drawn as wide as it is; the rest is a veil of hairlines under everything else, which
     *  shows where much goes on, and takes a software renderer a fiftieth of the time. @returns bit/s; 0 where there is no crowd. */
    #quietest() {
        const talks = this.#scene.links.filter(drawn => drawn.link.kind === 'talk');
        if (talks.length <= crowd) return 0;
        return talks.map(drawn => busier(drawn.link.load)).sort((a, b) => b - a)[loudest] || 1;
    }

    #addLoaded(link, add, bucket, isCrowded) {
        const { load } = link;
        const bits = busier(load);
        const capacity = load.capacityBitsPerSecond;
        if (capacity) {
            const wide = Math.round(width(capacity) + 3);
            add(bucket(`bed${wide}`, { order: 0, colour: 'bed', width: wide }));
        }
        if (link.kind === 'tunnel' && !isCrowded) add(bucket('tunnel', { order: 0, colour: 'bed', width: width(bits) + 5, dash: [7, 4] }));
        if (bits < 1) return add(bucket('idle', { order: 1, colour: 'faint', width: 0.8 }));
        const shade = shadeOf(load);
        // Steps of half a pixel: some dozens of looks, however many links.
        const wide = Math.round(width(bits) * 2) / 2;
        const alpha = link.kind === 'talk' ? (shade === 0 ? 0.45 : 0.75) : 1;
        add(bucket(`${shade}/${wide}/${alpha}`, { order: 3 + shade, colour: colourNames[shade], width: wide, alpha }));
    }

    #nodeBuckets() {
        const paths = new Map();
        const get = name => {
            if (!paths.has(name)) paths.set(name, new Path2D());
            return paths.get(name);
        };
        for (const node of this.#scene.nodes) {
            const mark = this.#model.mark(node.key);
            if (mark) addGlyph(get(`mark ${mark}`), node, 4);
            addGlyph(get(mark === 'vanished' ? 'ghost' : isDown(node.entity) ? 'down' : form(node.entity)), node);
        }
        const stems = get('stems');
        for (const [from, to] of this.#scene.stems) {
            stems.moveTo(from.x, from.y);
            stems.lineTo(to.x, to.y);
        }
        return paths;
    }

    // MARK: drawing

    #drawBlocks(context, colour, k) {
        for (const hull of this.#scene.hulls) this.#drawHull(context, colour, hull);
        context.lineWidth = 1 / k;
        for (const block of this.#scene.blocks) {
            const mark = this.#model.mark(block.key);
            const isHost = block.kind === 'host';
            context.beginPath();
            context.roundRect(block.x, block.y, block.w, block.h, isHost ? 6 : 4);
            context.fillStyle = isHost ? colour.block : colour.space;
            context.fill();
            context.strokeStyle = mark ? colour[mark] : colour['block-edge'];
            context.setLineDash(mark === 'vanished' ? [4 / k, 3 / k] : []);
            context.lineWidth = (mark ? 2 : 1) / k;
            if (isHost || mark) context.stroke();
        }
        context.setLineDash([]);
        this.#drawStaffs(context, colour, k);
    }

    #drawHull(context, colour, hull) {
        context.beginPath();
        hull.points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
        context.closePath();
        context.lineJoin = 'round';
        context.lineCap = 'round';
        context.lineWidth = 62;
        context.strokeStyle = colour['block-edge'];
        context.stroke();
        context.lineWidth = 60;
        context.strokeStyle = context.fillStyle = colour.block;
        context.stroke();
        context.fill();
    }

    /** The marks of a river gauge along each host's left edge, a long one for each level. */
    #drawStaffs(context, colour, k) {
        if (k < 0.3) return;
        context.beginPath();
        for (const block of this.#scene.blocks) {
            if (block.kind !== 'host') continue;
            const ys = this.#scene.levels.map(level => level.y).filter(y => y > block.y && y < block.y + block.h);
            for (const y of ys) {
                context.moveTo(block.x, y);
                context.lineTo(block.x + 10, y);
            }
            for (let i = 1; i < ys.length; i++) {
                for (let part = 1; part < 4; part++) {
                    const y = ys[i - 1] + (ys[i] - ys[i - 1]) * part / 4;
                    context.moveTo(block.x, y);
                    context.lineTo(block.x + 5, y);
                }
            }
        }
        context.strokeStyle = colour.faint;
        context.lineWidth = 1 / k;
        context.stroke();
    }

    #drawLinks(context, colour, k, density) {
        const thinner = Math.min(1.35, Math.max(0.42, Math.sqrt(k)));
        context.lineCap = 'round';
        for (const bucket of this.#buckets) {
            context.strokeStyle = colour[bucket.colour];
            // In a comparison the differences stand out, and the loads stand back.
            context.globalAlpha = (bucket.alpha ?? 1) * (this.#model.isCompared && !bucket.isMark ? 0.3 : 1);
            context.lineWidth = (bucket.width ? Math.max(0.6, bucket.width * thinner) : 0.7 / density) / k;
            context.setLineDash((bucket.dash ?? []).map(length => length / k));
            context.stroke(bucket.path);
        }
        context.globalAlpha = 1;
        context.setLineDash([]);
    }

    #drawNodes(context, colour, k) {
        const stroke = Math.max(1, Math.min(1.6, 1.4 * k)) / k;
        const paint = (name, fill, line, dash = []) => {
            const path = this.#glyphs.get(name);
            if (!path) return;
            context.setLineDash(dash.map(length => length / k));
            if (fill) {
                context.fillStyle = fill;
                context.fill(path);
            }
            context.lineWidth = stroke;
            if (line) {
                context.strokeStyle = line;
                context.stroke(path);
            }
        };
        paint('stems', null, colour.muted);
        for (const mark of Object.keys(signs)) paint(`mark ${mark}`, colour[mark], null);
        paint('open', colour.raised, colour.ink);
        paint('small', colour.ink, colour.raised);
        paint('solid', colour.ink, colour.raised);
        paint('ghost', colour.surface, colour.vanished, [3, 2]);
        paint('down', colour.surface, colour.flood, [2, 2]);
        context.setLineDash([]);
    }

    #drawNames(context, colour, camera, size) {
        this.#labels.clear();
        context.textBaseline = 'alphabetic';
        this.#drawMarks(context, colour, camera);
        const hosts = this.#scene.blocks.filter(block => block.kind === 'host');
        const room = block => block.w * camera.k - 16;
        const isShort = hosts.some(block => fitting(context, bold, block.name, block.name, room(block)) !== block.name);
        for (const block of hosts) {
            const [x, y] = camera.toScreen(block.x, block.y);
            const name = isShort ? block.short : block.name;
            this.#name(context, colour, { name, short: block.short }, x + 12, y + 8 + 11 * Math.min(1, camera.k + 0.3), room(block));
        }
        if (camera.k >= 0.45) this.#drawSpaceNames(context, colour, camera);
        for (const hull of this.#scene.hulls) {
            const top = hull.points.reduce((best, p) => (p[1] < best[1] ? p : best), [0, Infinity]);
            const [x, y] = camera.toScreen(top[0], top[1] - 30);
            this.#name(context, colour, { name: hull.name, short: hull.name }, x - 20, y - 4, 200);
        }
        this.#drawLevelNames(context, colour, camera);
        if (camera.k > 0.3) this.#labels.draw(context, this.#order, camera, size, colour, face(camera.k < 0.7 ? 10 : 11));
    }

    #name(context, colour, { name, short }, x, y, room) {
        const shown = fitting(context, bold, name, short, room);
        if (!shown || !this.#labels.claim(x, y - 11, Math.min(room, shown.length * 8), 12)) return;
        context.font = bold;
        context.textAlign = 'left';
        outlined(context, colour.block, colour.ink, shown, x, y);
    }

    #drawSpaceNames(context, colour, camera) {
        const spaces = this.#scene.blocks.filter(block => block.kind === 'namespace');
        const room = block => block.w * camera.k + 4;
        const isShort = spaces.some(block => fitting(context, face(10), block.name, block.name, room(block)) !== block.name);
        for (const block of spaces) this.#spaceName(context, colour, block, isShort ? block.short : block.name, room(block), camera);
    }

    /** At the top of a namespace's column: whole, or without what all have in common, or cut. */
    #spaceName(context, colour, block, name, room, camera) {
        const [x, y] = camera.toScreen(block.x + block.w / 2, block.y);
        const font = face(10);
        const shown = fitting(context, font, name, block.short, room);
        if (!shown || !this.#labels.claim(x - room / 2 + 6, y + 3, room - 12, 9)) return;
        context.font = font;
        context.textAlign = 'center';
        outlined(context, colour.space, colour.muted, shown, x, y + 12);
    }

    #drawLevelNames(context, colour, camera) {
        if (camera.k < 0.55) return;
        context.font = face(10.5);
        context.textAlign = 'right';
        context.fillStyle = colour.muted;
        for (const level of this.#scene.levels) {
            const [x, y] = camera.toScreen(level.x, level.y);
            context.fillText(level.name, x - 8, y + 3.5);
        }
    }

    /** What changed carries a sign too, for eyes that do not tell the colours apart. */
    #drawMarks(context, colour, camera) {
        if (camera.k < 0.3) return;
        context.font = `700 ${face(12)}`;
        context.textAlign = 'center';
        for (const node of this.#scene.nodes) {
            const mark = this.#model.mark(node.key);
            if (!mark) continue;
            const [x, y] = camera.toScreen(node.x + (node.w / 2 || 8), node.y - radius(node));
            outlined(context, colour.surface, colour[mark], signs[mark], x + 5, y);
        }
    }

    // MARK: over the drawing

    /** What is chosen or under the pointer, drawn again over a veil. @param {{selected, hovered, focused}} keys */
    drawOver(context, density, camera, size, { selected, hovered, focused }) {
        context.clearRect(0, 0, size.width, size.height);
        const scene = this.#scene;
        if (!scene) return;
        const colour = colours();
        const lit = this.#lit(selected);
        if (lit) {
            context.globalAlpha = 0.72;
            context.fillStyle = colour.surface;
            context.fillRect(0, 0, size.width, size.height);
            context.globalAlpha = 1;
        }
        this.#toWorld(context, density, camera, size);
        if (lit) for (const drawn of lit.links) this.#strokeLink(context, colour, camera.k, drawn, 0);
        const under = hovered && scene.linksOf.get(hovered);
        if (under && !Array.isArray(under)) this.#strokeLink(context, colour, camera.k, under, 4);
        if (lit) this.#drawLitNodes(context, colour, camera.k, lit.nodes);
        const rings = [[selected, 'ink'], [hovered, 'muted'], [focused, 'focus']];
        for (const [key, name] of rings) this.#ring(context, colour[name], camera.k, key);
        context.setTransform(density, 0, 0, density, 0, 0);
        if (lit) {
            this.#labels.clear();
            // As many names as when one is near.
            const near = { k: Math.max(camera.k, 1), toScreen: (x, y) => camera.toScreen(x, y) };
            this.#labels.draw(context, lit.order, near, size, colour, face(11));
        }
    }

    /** The links and nodes that belong to what is chosen. */
    #lit(selected) {
        if (!selected) return null;
        const found = this.#scene.linksOf.get(selected);
        const node = this.#scene.index.get(selected);
        if (this.#scene.blockIndex.has(selected)) return this.#litInside(selected);
        if (!found && !node) return null;
        const nodes = new Set(node ? [node, ...this.#scene.stems.filter(([, parent]) => parent === node).map(([service]) => service)] : []);
        const links = found && !Array.isArray(found) ? [found] : [...nodes].flatMap(one => this.#scene.linksOf.get(one.key) ?? []);
        for (const drawn of links) for (const end of [drawn.a, drawn.b]) if (!end.isBlock) nodes.add(end);
        return { links, nodes: [...nodes], order: sorted([...nodes]) };
    }

    /** What stands in a host or namespace, and the links that lead out of it. */
    #litInside(key) {
        const nodes = new Set(this.#scene.nodes.filter(node => [...this.#model.ancestors(node.key)].includes(key)));
        const links = new Set([...nodes].flatMap(node => this.#scene.linksOf.get(node.key) ?? []));
        for (const drawn of links) for (const end of [drawn.a, drawn.b]) if (!end.isBlock) nodes.add(end);
        return { links: [...links], nodes: [...nodes], order: sorted([...nodes]) };
    }

    #strokeLink(context, colour, k, drawn, grown) {
        const [c, load] = [drawn.course, drawn.link.load];
        const thinner = Math.min(1.35, Math.max(0.42, Math.sqrt(k)));
        context.beginPath();
        context.moveTo(c[0], c[1]);
        context.bezierCurveTo(c[2], c[3], c[4], c[5], c[6], c[7]);
        context.lineCap = 'round';
        const lines = [];
        if (grown) lines.push([colour.focus, width(busier(load)) * thinner + grown + 3, 0.35]);
        if (load?.capacityBitsPerSecond) lines.push([colour.bed, (width(load.capacityBitsPerSecond) + 3) * thinner, 1]);
        lines.push([load ? colour[colourNames[shadeOf(load)]] : colour.muted, Math.max(1.4, width(busier(load)) * thinner), 1]);
        for (const [style, wide, alpha] of lines) {
            context.strokeStyle = style;
            context.lineWidth = wide / k;
            context.globalAlpha = alpha;
            context.stroke();
        }
        context.globalAlpha = 1;
    }

    #drawLitNodes(context, colour, k, nodes) {
        for (const node of nodes) {
            const path = new Path2D();
            addGlyph(path, node);
            context.fillStyle = form(node.entity) === 'open' ? colour.raised : colour.ink;
            context.strokeStyle = isDown(node.entity) ? colour.flood : colour.ink;
            context.lineWidth = 1.4 / k;
            context.fill(path);
            context.stroke(path);
        }
    }

    #ring(context, style, k, key) {
        if (!key) return;
        const [node, block] = [this.#scene.index.get(key), this.#scene.blockIndex.get(key)];
        const path = new Path2D();
        if (node) addGlyph(path, node, 4.5 + 1 / k);
        else if (block) path.roundRect(block.x - 3, block.y - 3, block.w + 6, block.h + 6, 7);
        else return;
        context.strokeStyle = style;
        context.lineWidth = 2.2 / k;
        context.stroke(path);
    }
}
