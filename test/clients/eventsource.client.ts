// Server-sent events as a browser's EventSource reads them, by the package of that name: each event when it is written,
// and coming back with the id of the last one.

import type { ServerResponse } from 'node:http';
import { EventSource } from 'eventsource';
import { describe, expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { type DoorOptions, Gate } from './gate.ts';
import { Inbox } from './inbox.ts';
import { httpServer, jsonText } from './servers.ts';

interface Stream {
  readonly response: ServerResponse;
  readonly lastId: string | undefined;
  /** The other side is gone. */
  readonly closed: Promise<void>;
}

async function start(options: DoorOptions = {}) {
  const { server, port } = await httpServer();
  const streams = new Inbox<Stream>();
  server.on('request', (request, response) => {
    if (request.url !== '/events') {
      response.writeHead(204).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.flushHeaders();
    const closed = new Promise<void>((resolve) => {
      response.on('close', resolve);
    });
    streams.put({ response, lastId: request.headers['last-event-id'] as string | undefined, closed });
  });
  return { gate: await Gate.door([port], options), streams };
}

function listen(gate: Gate, target = '/events') {
  const source = new EventSource(gate.url(target, 'http'));
  /** `open`, `error`, `message: DATA`, `tick: DATA`. */
  const events = new Inbox<string>();
  source.onopen = () => events.put('open');
  source.onerror = () => events.put('error');
  source.onmessage = ({ data }) => events.put(`message: ${data}`);
  source.addEventListener('tick', ({ data }) => events.put(`tick: ${data}`));
  atTestEnd(() => source.close());
  return { source, events };
}

describe('EventSource', () => {
  test('opens with the head, and gets each event when it is written', async () => {
    const { gate, streams } = await start();
    const { events } = listen(gate);
    const { response } = await streams.next();
    // Nothing of the body was written.
    expect(await events.next()).toBe('open');
    for (let i = 0; i < 20; i += 1) {
      response.write(i % 2 === 0 ? `data: ${i}\n\n` : `event: tick\ndata: ${i}\n\n`);
      expect(await events.next()).toBe(`${i % 2 === 0 ? 'message' : 'tick'}: ${i}`);
    }
    response.write('data: cut in ');
    response.write(': a comment');
    response.write(' two\n\n');
    expect(await events.next()).toBe('message: cut in : a comment two');
    const text = jsonText(700_000);
    response.write(`data: ${text}\n\n`);
    expect((await events.next()) === `message: ${text}`).toBe(true);
  });

  test('comes back after what the server said, with the id of its last event', async () => {
    const { gate, streams } = await start();
    const { events } = listen(gate);
    const first = await streams.next();
    expect(first.lastId).toBeUndefined();
    first.response.write('retry: 20\nid: 7\ndata: seven\n\n');
    first.response.end('id: 8\ndata: not whole');
    expect(await events.take(3)).toEqual(['open', 'message: seven', 'error']);
    const second = await streams.next();
    expect(second.lastId).toBe('7');
    second.response.end('id: 9\ndata: nine\n\n');
    expect(await events.take(3)).toEqual(['open', 'message: nine', 'error']);
    expect((await streams.next()).lastId).toBe('9');
  });

  test('when it is closed the server knows', async () => {
    const { gate, streams } = await start();
    const { source, events } = listen(gate);
    const { closed } = await streams.next();
    expect(await events.next()).toBe('open');
    source.close();
    await closed;
    expect(await gate.request(() => true)).toMatchObject({ status: 200, error: 'client_gone', path: '/events' });
  });

  test('a restart of framegate and a server that is cut off lead back in, with the id', async () => {
    const { gate, streams } = await start();
    const { events } = listen(gate);
    const first = await streams.next();
    first.response.write('retry: 20\nid: 1\ndata: one\n\n');
    expect(await events.take(2)).toEqual(['open', 'message: one']);
    await gate.restart();
    await events.until((event) => event === 'open');
    const second = await streams.next();
    expect(second.lastId).toBe('1');
    second.response.write('id: 2\ndata: two\n\n');
    expect(await events.next()).toBe('message: two');
    second.response.destroy();
    expect(await events.take(2)).toEqual(['error', 'open']);
    expect((await streams.next()).lastId).toBe('2');
  });

  test('ends when nothing was written for `idle`, comes back, and never where comments are', async () => {
    const { gate, streams } = await start({ route: ['timeouts: { idle: 1s }'] });
    const { events } = listen(gate);
    const first = await streams.next();
    expect(await events.next()).toBe('open');
    first.response.write('retry: 20\n\n');
    expect(await events.take(2)).toEqual(['error', 'open']);
    const { response } = await streams.next();
    const beat = setInterval(() => response.write(': here\n\n'), 200);
    atTestEnd(() => clearInterval(beat));
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 2_000);
    });
    response.write('data: still\n\n');
    expect(await events.next()).toBe('message: still');
  });

  test('204 ends it for good', async () => {
    const { gate } = await start();
    const { source, events } = listen(gate, '/none');
    expect(await events.next()).toBe('error');
    expect(source.readyState).toBe(source.CLOSED);
  });
});
