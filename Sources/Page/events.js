// Server-sent events (HTML standard, 9.2), read with fetch: EventSource cannot send a token.
import { request } from './api.js';

/** Calls `take(name, data)` for each event and `state('live' | 'away', failure)` as the connection comes and goes, for ever. */
export async function follow(path, take, state) {
    let wait = 500;
    for (;;) {
        let failure = null;
        try {
            const response = await request(path);
            state('live', null);
            wait = 500;
            await read(response.body, take);
        } catch (error) {
            failure = error;
        }
        state('away', failure);
        await new Promise(resolve => setTimeout(resolve, wait));
        wait = Math.min(wait * 2, 15000);
    }
}

async function read(body, take) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        // What was searched before is not searched again: an event can be a megabyte, and comes in many pieces.
        let from = Math.max(0, rest.length - 1);
        rest += value;
        let end;
        while ((end = rest.indexOf('\n\n', from)) >= 0) {
            dispatch(rest.slice(0, end), take);
            rest = rest.slice(end + 2);
            from = 0;
        }
    }
}

function dispatch(block, take) {
    let name = 'message';
    const data = [];
    for (const line of block.split('\n')) {
        if (line.startsWith('event:')) name = line.slice(6).trim();
        else if (line.startsWith('data:')) data.push(line.slice(5).trimStart());
    }
    if (data.length) take(name, JSON.parse(data.join('\n')));
}
