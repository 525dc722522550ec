import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { buildSnapshot } from '../../src/control/snapshot.ts';
import { closeFrame, text, upgradeRequest } from '../support/wire.ts';
import { NOTHING, Rig, SWITCHED } from './rig.ts';

describe('handshakes', () => {
  test('one that opens: ok on its route, with its dial and how long it took', async () => {
    const rig = new Rig();
    const client = rig.connect();
    expect(rig.edge.metrics.process.handshakesOpen).toBe(1);
    rig.clock.advance(20);
    expect(await rig.answer(client)).toBe(SWITCHED);
    expect(rig.edge.metrics.process.handshakesOpen).toBe(0);
    expect(rig.handshakes).toEqual([{ ok: 1 }, {}]);
    const route = rig.edge.metrics.route('echo');
    expect([route.handshakeDuration.count, route.handshakeDuration.sum]).toEqual([1, 0.02]);
    expect([...rig.edge.metrics.targets()].map(({ upstream, dials }) => [upstream, dials.of('ok')])).toEqual([
      ['builtin:echo', 1],
    ]);
  });

  test('one that is refused: its slug, without a route until one is known; a head that broke off took no time', () => {
    const rig = new Rig({ timeouts: { handshake: '1s' } });
    rig.connect(upgradeRequest({ path: '/other' }));
    rig.connect(Buffer.from('?'));
    rig.connect(upgradeRequest({ path: '/echo', headers: { 'Sec-WebSocket-Protocol': ',' } }));
    rig.connect(Buffer.from('GET /echo'));
    rig.pass(1001);
    expect(rig.handshakes).toEqual([{}, { no_route: 1, request_line: 1, subprotocol: 1, handshake_timeout: 1 }]);
    expect(rig.edge.metrics.unrouted.handshakeDuration.count).toBe(2);
  });

  test('a client that leaves: client_gone, unless it never sent a byte', () => {
    const rig = new Rig();
    for (const request of [NOTHING, Buffer.from('GET /echo'), upgradeRequest({ path: '/echo' })]) {
      const client = rig.connect(request);
      client.fin();
      client.pump();
    }
    expect(rig.handshakes).toEqual([{ client_gone: 1 }, { client_gone: 1 }]);
    expect(rig.edge.metrics.process.handshakesOpen).toBe(0);
    expect(rig.listener).toEqual([3, 0, {}]);
  });

  test('bytes behind the head are counted until the 101, the refusal or the end of the client', async () => {
    const rig = new Rig();
    const early = text('early', { mask: true });
    const request = Buffer.concat([upgradeRequest({ path: '/echo' }), early]);
    const client = rig.connect(request);
    client.send(early);
    client.pump();
    expect([rig.edge.buffers.early, rig.edge.bufferedTotal()]).toEqual([2 * early.length, 2 * early.length]);
    const gone = rig.connect(request);
    expect(rig.edge.buffers.early).toBe(3 * early.length);
    gone.rst();
    gone.pump();
    expect(rig.edge.buffers.early).toBe(2 * early.length);
    const refused = rig.connect(request);
    for (const connection of rig.edge.connections) if (connection.holdings !== null) connection.drain(0);
    expect(rig.edge.buffers.early).toBe(0);
    expect(await rig.answer(refused)).toBe('HTTP/1.1 503 Service Unavailable');
    const opened = rig.connect(request);
    expect(await rig.answer(opened)).toBe(SWITCHED);
    expect(rig.edge.buffers.early).toBe(0);
    rig.connect(Buffer.concat([upgradeRequest({ path: '/other' }), early]));
    expect(rig.edge.buffers.early).toBe(0);
  });

  test('a cap that is hit counts under its config key, and is named in the log', async () => {
    const routes = [{ name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo', limits: { max_sessions: 1 } }];
    const rig = new Rig({ routes });
    await rig.open();
    for (let i = 0; i < 2; i += 1) {
      expect(await rig.answer(rig.connect())).toBe('HTTP/1.1 503 Service Unavailable');
    }
    expect(rig.handshakes).toEqual([{ ok: 1, too_many_sessions: 2 }, {}]);
    expect(rig.edge.metrics.route('echo').fromClient.limitHits.of('max_sessions')).toBe(2);
    const lines = rig.tap.lines.filter(({ event }) => event === 'handshake.refused');
    expect(lines.map(({ error, cause }) => [error, cause])).toEqual([
      ['too_many_sessions', 'max_sessions'],
      ['too_many_sessions', 'max_sessions'],
    ]);
  });
});

describe('connections', () => {
  test('accepted and open; over max_sessions they are rejected, whether they are told or cut off', async () => {
    const rig = new Rig({}, 1);
    const client = await rig.open();
    expect(rig.listener).toEqual([1, 1, {}]);
    const more = Array.from({ length: 20 }, () => rig.connect());
    // Four are told, the others are cut off.
    expect(rig.listener).toEqual([21, 5, { too_many_sessions: 20 }]);
    expect(rig.handshakes).toEqual([{ ok: 1 }, { too_many_sessions: 4 }]);
    for (const one of more) {
      one.fin();
      one.pump();
    }
    expect(rig.listener).toEqual([21, 1, { too_many_sessions: 20 }]);
    client.rst();
    client.pump();
    await rig.until(() => rig.edge.open === 0);
    expect(rig.listener).toEqual([21, 0, { too_many_sessions: 20 }]);
  });

  test('one that sends no byte in time is rejected', () => {
    const rig = new Rig({ timeouts: { handshake: '1s' } });
    rig.connect(NOTHING);
    rig.pass(999);
    expect(rig.listener).toEqual([1, 1, {}]);
    rig.pass(2);
    expect(rig.listener[2]).toEqual({ handshake_timeout: 1 });
    expect(rig.handshakes).toEqual([{}, {}]);
  });

  test('a connection outlives its listener, and then has no route', async () => {
    const rig = new Rig();
    const client = rig.connect(NOTHING);
    const config = { listeners: [{ name: 'other' }], routes: [{ name: 'echo', upstream: 'builtin:echo' }] };
    rig.edge.apply(buildSnapshot(loadObject(config, { baseDir: '.' }).config, rig.edge.snapshot), 100);
    client.send(upgradeRequest({ path: '/echo' }));
    client.pump();
    expect(await rig.answer(client)).toBe('HTTP/1.1 404 Not Found');
  });
});

describe('sessions', () => {
  test('open, total, and how each ended: by whom, why, with which code, after how long', async () => {
    const rig = new Rig();
    const client = await rig.open();
    await rig.open();
    const metrics = rig.edge.metrics.route('echo');
    expect([metrics.sessionsOpen, metrics.sessionsTotal]).toEqual([2, 2]);
    rig.clock.advance(3000);
    client.send(text('x', { mask: true }), closeFrame(4001, '', { mask: true }));
    client.pump();
    await rig.until(() => client.finSent);
    client.fin();
    client.pump();
    await rig.until(() => metrics.sessionsOpen === 1);
    expect([...metrics.ends.all()]).toEqual([{ by: 'client', reason: 'client_close', code: '4xxx', count: 1 }]);
    expect([metrics.sessionDuration.count, metrics.sessionDuration.sum]).toEqual([1, 3]);
    expect(rig.edge.snapshot.routes.get('echo')?.sessions).toBe(1);
  });

  test('limit.hit is logged once per session, direction and limit, and counted every time', async () => {
    const rig = new Rig();
    await rig.open();
    await rig.open();
    for (const record of rig.edge.sessions) {
      for (let i = 0; i < 3; i += 1) record.onLimitHit('client', 'messages_per_second', i);
      record.onLimitHit('client', 'bytes_per_second', 7);
      record.onLimitHit('backend', 'bytes_per_second', 8);
    }
    const { fromClient, fromBackend } = rig.edge.metrics.route('echo');
    const counts = [fromClient.limitHits.of('messages_per_second'), fromClient.limitHits.of('bytes_per_second')];
    expect([...counts, fromBackend.limitHits.of('bytes_per_second')]).toEqual([6, 2, 2]);
    const lines = rig.tap.lines.filter(({ event }) => event === 'limit.hit');
    expect(lines.map(({ direction, limit, value }) => [direction, limit, value])).toEqual([
      ['from_client', 'messages_per_second', 0],
      ['from_client', 'bytes_per_second', 7],
      ['from_backend', 'bytes_per_second', 8],
      ['from_client', 'messages_per_second', 0],
      ['from_client', 'bytes_per_second', 7],
      ['from_backend', 'bytes_per_second', 8],
    ]);
  });
});

describe('what is drained takes no new sessions', () => {
  test('a route: 503 draining, until it is undrained', async () => {
    const rig = new Rig();
    await rig.open();
    const route = rig.edge.snapshot.routes.get('echo');
    if (route === undefined) throw new Error('no route');
    route.draining = true;
    expect(await rig.answer(rig.connect())).toBe('HTTP/1.1 503 Service Unavailable');
    route.draining = false;
    await rig.open();
    expect(rig.handshakes).toEqual([{ ok: 2, draining: 1 }, {}]);
  });

  test('a target: the others take them; with none left 503 no_target', async () => {
    const targets = [
      { name: 'x', url: 'builtin:echo' },
      { name: 'y', url: 'builtin:echo' },
    ];
    const routes = [{ name: 'echo', match: { path: '/echo' }, upstream: 'two' }];
    const rig = new Rig({ routes, upstreams: { two: { targets } } });
    const [x, y] = rig.edge.snapshot.upstreams.get('two')?.targets ?? [];
    if (x === undefined || y === undefined) throw new Error('no targets');
    x.bar('draining', 'admin', 0);
    for (let i = 0; i < 3; i += 1) await rig.open();
    expect([x.sessions, y.sessions]).toEqual([0, 3]);
    y.bar('draining', 'admin', 0);
    expect(await rig.answer(rig.connect())).toBe('HTTP/1.1 503 Service Unavailable');
    expect(rig.handshakes).toEqual([{ ok: 3, no_target: 1 }, {}]);
    x.lift('draining', 0);
    await rig.open();
    expect(x.sessions).toBe(1);
  });
});
