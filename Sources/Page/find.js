// The box that finds things by name, address or key, and the list of what it found: also the way around the map without seeing it.
import { byId, h } from './dom.js';
import { describe } from './words.js';

const most = 12;
const kinds = ['endpoint', 'service', 'application', 'host', 'namespace', 'interface'];

export function startFind(model, choose) {
    const [field, list] = [byId('find'), byId('found')];
    let found = [];
    let active = -1;

    const close = () => {
        list.hidden = true;
        field.setAttribute('aria-expanded', 'false');
        field.removeAttribute('aria-activedescendant');
        active = -1;
    };
    const take = key => {
        close();
        field.value = '';
        choose(key);
    };
    const show = () => {
        list.replaceChildren(...found.map((entity, index) =>
            h('li', {
                role: 'option', id: `found-${index}`, 'aria-selected': String(index === active),
                onpointerdown: event => {
                    event.preventDefault();
                    take(entity.key);
                },
            },
                h('span', { class: 'name' }, model.title(entity.key)), h('span', { class: 'quiet' }, describe(entity)))));
        if (!found.length) list.append(h('li', { class: 'quiet', role: 'option', 'aria-disabled': 'true' }, 'nothing found'));
        list.hidden = false;
        field.setAttribute('aria-expanded', 'true');
        if (active >= 0) field.setAttribute('aria-activedescendant', `found-${active}`);
    };
    const search = () => {
        const text = field.value.trim().toLowerCase();
        if (!text) return close();
        const rank = entity => {
            const name = entity.name.toLowerCase();
            if (name === text) return 0;
            if (name.startsWith(text)) return 1;
            if (name.includes(text)) return 2;
            return Object.values(entity.attributes).some(value => String(value).toLowerCase().includes(text)) ? 3 : 9;
        };
        const order = ([rankA, a], [rankB, b]) =>
            rankA - rankB || kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || a.name.localeCompare(b.name, 'en', { numeric: true });
        found = [...model.entities.values()].map(entity => [rank(entity), entity]).filter(([r]) => r < 9).sort(order).slice(0, most)
            .map(([, entity]) => entity);
        active = found.length ? 0 : -1;
        show();
    };
    field.addEventListener('input', search);
    field.addEventListener('focus', search);
    field.addEventListener('blur', close);
    field.addEventListener('keydown', event => {
        if (list.hidden) return;
        if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
            active = (active + (event.key === 'ArrowDown' ? 1 : -1) + found.length) % Math.max(1, found.length);
            show();
        } else if (event.key === 'Enter' && active >= 0) take(found[active].key);
        else if (event.key === 'Escape') close();
        else return;
        event.preventDefault();
    });
}
