// Asking the agent. Every failure is a Failure with the agent's own words.
import { askForToken, authorization } from './token.js';

export class Failure extends Error {
    constructor(status, body) {
        super(body.error ?? `the agent answered ${status}`);
        this.status = status;
        this.hint = body.hint ?? null;
        this.field = body.field ?? null;
    }
}

function address(path, fields) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(fields)) {
        if (value !== undefined && value !== null && value !== '') query.set(name, value);
    }
    const text = query.toString();
    return `v1/${path}${text ? `?${text}` : ''}`;
}

/** The answer's response, with the token that it takes; throws a Failure for everything but success. */
export async function request(path, fields = {}, signal = undefined) {
    for (;;) {
        let response;
        try {
            response = await fetch(address(path, fields), { headers: authorization(), signal, cache: 'no-store' });
        } catch (error) {
            if (error.name === 'AbortError') throw error;
            throw new Failure(0, { error: 'the agent does not answer', hint: 'is nilo agent running?' });
        }
        if (response.ok) return response;
        if (response.status === 401 && await askForToken()) continue;
        const body = await response.json().catch(() => ({}));
        throw new Failure(response.status, body);
    }
}

export const get = async (path, fields, signal) => (await request(path, fields, signal)).json();

/** Runs one request at a time: a newer one takes an older one's place, whose answer is undefined. */
export class Latest {
    #controller = null;

    async get(path, fields) {
        this.#controller?.abort();
        const controller = new AbortController();
        this.#controller = controller;
        try {
            const answer = await get(path, fields, controller.signal);
            return controller.signal.aborted ? undefined : answer;
        } catch (error) {
            if (error.name === 'AbortError') return undefined;
            throw error;
        }
    }

    cancel() {
        this.#controller?.abort();
    }
}
