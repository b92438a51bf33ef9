// The field for the filter language (docs/filter.md), with the agent's own complaints below it and examples to press.
import { h } from './dom.js';

const patience = 350;
const examples = [
    ['host 10.1.0.11', 'from or to an address'], ['net 10.0.0.0/8', 'a network'], ['tcp port 443', 'a transport’s port'],
    ['port 80-90', 'a range of ports'],
    ['src host 10.1.0.11 and not port 53', 'joined by and, or, not'], ['interface "ve-*" and ingress', 'where it was seen'],
    ['vni 4100', 'a virtual network'],
    ['inner host 10.1.0.11', 'inside VXLAN'], ['tcp flags syn', 'flows that showed flags'], ['dscp ef', 'a codepoint'],
];

/** @returns {{element, value, failed}} `changed` is called when the text has stood still for a moment. */
export function filterField(changed) {
    let timer = null;
    const soon = () => {
        clearTimeout(timer);
        timer = setTimeout(changed, patience);
    };
    const input = h('input', {
        id: 'filter', type: 'search', spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off',
        placeholder: 'host 10.1.0.11 and tcp port 443',
        'aria-describedby': 'filter-said', oninput: soon,
        onkeydown: event => {
            if (event.key !== 'Enter') return;
            clearTimeout(timer);
            changed();
        },
    });
    const said = h('p', { id: 'filter-said', class: 'said', role: 'status' });
    const take = text => {
        input.value = text;
        changed();
        input.focus();
    };
    const help = h('details', { class: 'help' }, h('summary', {}, 'What can be asked'), h('ul', {}, ...examples.map(([text, words]) =>
        h('li', {}, h('button', { type: 'button', class: 'example', onclick: () => take(text) }, text),
            h('span', { class: 'quiet' }, words)))));
    return {
        element: h('div', { class: 'filter' }, h('label', { class: 'field' }, h('span', { class: 'label' }, 'Filter'), input), help, said),
        get value() { return input.value.trim(); },
        set value(text) { input.value = text; },
        /** @param failure of the latest question; null: it went well. */
        failed(failure) {
            input.setAttribute('aria-invalid', String(failure?.field === 'filter'));
            said.textContent = failure ? `${failure.message}${failure.hint ? ` — ${failure.hint}` : ''}` : '';
        },
    };
}
