// The token that an agent asks for which listens beyond the loopback: out of the address's fragment (#token=…), or typed in.
import { byId } from './dom.js';

const name = 'nilometer.token';
let token = null;
let asking = null;

function read(storage) {
    try {
        return storage.getItem(name);
    } catch {
        return null;
    }
}

function keep(storage) {
    try {
        storage.setItem(name, token);
    } catch {
        // Then it is known for as long as the page is open.
    }
}

/** Takes the token out of the address, so that it stays neither in the history nor on the screen. */
export function startToken() {
    const fields = new URLSearchParams(location.hash.slice(1));
    const given = fields.get('token');
    if (given) {
        token = given;
        keep(sessionStorage);
        fields.delete('token');
        const rest = fields.toString().replace(/=(?=&|$)/g, '');
        history.replaceState(null, '', location.pathname + location.search + (rest ? `#${rest}` : ''));
    } else {
        token = read(sessionStorage) ?? read(localStorage);
    }
}

export const authorization = () => (token ? { Authorization: `Bearer ${token}` } : {});

/** Asks for a token, once for all requests that wait for it. */
export function askForToken() {
    asking ??= new Promise(resolve => {
        const dialog = byId('token');
        const text = byId('token-text');
        dialog.showModal();
        text.focus();
        dialog.addEventListener('close', () => {
            asking = null;
            token = text.value.trim() || null;
            text.value = '';
            if (token) keep(byId('token-keep').checked ? localStorage : sessionStorage);
            resolve(token !== null);
        }, { once: true });
    });
    return asking;
}
