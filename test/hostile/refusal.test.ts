import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { buildSnapshot } from '../../src/control/snapshot.ts';
import { Edge } from '../../src/edge/edge.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Carrier } from '../../src/net/carrier.ts';
import { Dialer } from '../../src/net/dial.ts';
import { Resolver } from '../../src/net/resolve.ts';
import { Log } from '../../src/observe/log.ts';
import { arrivalOf } from '../support/arrival.ts';
import { fromNothing } from '../support/auth.ts';
import { FakeClock } from '../support/fake-clock.ts';
import type { LogLine } from '../support/log-tap.ts';
import { MemoryTransport } from '../support/memory-transport.ts';
import type { RawClient } from '../support/raw-client.ts';
import { upstreamMeans } from '../support/upstreams.ts';
import {
  expectEnd,
  expectRefusal,
  instead,
  type Refusal,
  type RequestLines,
  requestOf,
  sharedGate,
  startGate,
  withFields,
  without,
} from './harness.ts';
import { closeCleanly } from './pair.ts';

const plain = requestOf();
const LINGER_BYTES = 256 * 1024;

const gate = sharedGate((url) => ({
  log: { level: 'debug' },
  routes: [
    { name: 'one', match: { path: '/one/*' }, upstream: url, limits: { max_sessions: 1 } },
    { name: 'other', match: { path: '/other/*' }, upstream: url },
    { name: 'listed', match: { path: '/listed/*' }, upstream: 'ws+unix:/dev/null/socket', subprotocols: ['chat'] },
  ],
}));

describe('a request that breaks several rules gets the answer to the first of them', () => {
  /** Each mends what the one before was refused for; all that comes later is still wrong. */
  const steps: readonly (readonly [Refusal, RequestLines])[] = [
    ['400 header_name', { line: 'POST * HTTP/1.0', fields: ['X : y'] }],
    ['405 method', { line: 'POST * HTTP/1.0' }],
    ['505 http_version', { line: 'GET * HTTP/1.0' }],
    ['400 target_form', { line: 'GET * HTTP/1.1' }],
    ['400 double_slash', { line: 'GET //x HTTP/1.1' }],
    ['400 dot_segment', { line: 'GET /.. HTTP/1.1' }],
    ['400 host', { line: 'GET /none HTTP/1.1' }],
    ['400 authority', { line: 'GET http://a/none HTTP/1.1', fields: ['Host: b'] }],
    ['426 upgrade_required', { line: 'GET /none HTTP/1.1', fields: ['Host: a'] }],
  ];
  const wrong = ['upgrade', 'connection', 'sec-websocket-key', 'sec-websocket-version', 'host'];
  const junk = ['Sec-WebSocket-Extensions: ;', 'Sec-WebSocket-Protocol: ;', 'Expect: x', 'Content-Length: 5'];

  test.each(steps)('%s', async (refusal, spec) => {
    await gate.refuses(requestOf({ ...spec, omit: wrong, fields: [...(spec.fields ?? []), ...junk] }), refusal);
  });

  test('of the upgrade fields and what follows them: routes, subprotocols, session caps', async () => {
    const fields = ['Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Connection: upgrade'];
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
    const bad = ['Content-Length: 5', 'Sec-WebSocket-Extensions: ;', 'Sec-WebSocket-Protocol: ;', 'Expect: x'];
    const refusals: Refusal[] = ['426 upgrade_required', '426 version', '400 connection_token', '400 key'];
    const host = 'Host: a';
    const line = 'GET /none HTTP/1.1';
    for (const [i, refusal] of refusals.entries()) {
      await gate.refuses(requestOf({ line, omit: wrong, fields: [host, ...fields.slice(0, i), ...bad] }), refusal);
    }
    const more: Refusal[] = ['400 body', '400 extensions', '400 subprotocol', '417 expect', '404 no_route'];
    for (const [i, refusal] of more.entries()) {
      await gate.refuses(requestOf({ line, omit: wrong, fields: [host, ...fields, key, ...bad.slice(i)] }), refusal);
    }
    const other = ['Sec-WebSocket-Protocol: other'];
    await gate.refuses(requestOf({ line: 'GET /listed HTTP/1.1', fields: other }), '400 subprotocol');
    await gate.refuses(requestOf({ line: 'GET /listed HTTP/1.1' }), '502 backend_unreachable');
  });

  test('of two broken lines the first one decides, whatever they break', async () => {
    await gate.refuses(withFields('X : y', 'Y: \0', 'Host: b'), '400 header_name');
    await gate.refuses(withFields('Y: \0', 'X : y', 'Sec-WebSocket-Key: x'), '400 ctl');
    await gate.refuses(withFields('Sec-WebSocket-Key: x', 'Y: \0', ' z'), '400 dup_field');
    await gate.refuses(`${'GET /'.padEnd(9000, 'a')} \n\0`, '414 target_too_long');
  });
});

describe('after a refusal', () => {
  async function refused(): Promise<RawClient> {
    const client = await gate.connect();
    client.send(without('Upgrade'));
    expectRefusal(await client.readResponse(), '426 upgrade_required');
    await client.ended;
    return client;
  }

  test('who sent 200 KiB behind its head reads the whole answer, and no reset', async () => {
    for (const head of [without('Upgrade'), instead('Host', 'a b'), `${plain.slice(0, -2)}\n`]) {
      const client = await gate.connect();
      client.send(head, Buffer.alloc(100 * 1024, 'x'), Buffer.alloc(100 * 1024, 'y'));
      const answer = await client.readResponse();
      expect(answer.status).toBeGreaterThanOrEqual(400);
      await client.flushed();
      await expectEnd(client);
    }
  });

  test('256 KiB more are read and dropped, one byte more is cut off', async () => {
    const client = await refused();
    client.send(Buffer.alloc(LINGER_BYTES, 'x'));
    await client.flushed();
    await gate.settled();
    await gate.settled();
    expect(client.isClosed).toBe(false);
    client.send('x');
    await expectCutOff(client);
  });

  test('the connection is cut off 2 s later, whatever the client does', async () => {
    const client = await refused();
    gate.clock.advance(1_900);
    client.send('x');
    await gate.settled();
    expect(client.isClosed).toBe(false);
    gate.clock.advance(150);
    await expectCutOff(client);
  });

  test('the connection ends at once with the FIN of the client', async () => {
    const client = await refused();
    client.end();
    expect(await client.closed).toEqual({ fin: true, error: null });
  });

  test('a FIN of the client cuts off no answer that its side has not taken yet', () => {
    const transport = new MemoryTransport({ name: 'client', stable: true });
    transport.setRoom(10);
    const clock = new FakeClock();
    const edge = makeEdge(clock);
    edge.accept(transport, arrivalOf(edge.snapshot.config));
    transport.send(Buffer.from(without('Upgrade')));
    transport.fin();
    transport.pump();
    transport.takeAll();
    expect([transport.finSent, transport.destroyed, transport.misuse]).toEqual([true, false, []]);
    expect(transport.received.toString()).toMatch(/^HTTP\/1\.1 426 .*"request_id":"[0-9a-f]{32}"\}$/s);
    clock.advance(2_050);
    edge.wheel.advance();
    expect([transport.destroyed, edge.open]).toEqual([true, 0]);
  });

  test('a client that sent its FIN right behind the request still gets the answer', async () => {
    const client = await gate.connect();
    client.end(Buffer.from(without('Upgrade')));
    await gate.expectRefused(client, '426 upgrade_required');
  });
});

function makeEdge(clock: FakeClock): Edge {
  const { config } = loadObject({ routes: [{ upstream: 'builtin:echo' }] }, { baseDir: '.' });
  const wheel = new TimerWheel(clock);
  const log = new Log({ ...config.log, clock, destination: { write() {} } });
  const carrier = new Carrier('stream');
  const dialer = new Dialer({ resolver: new Resolver(clock), wheel, clock, carrier });
  const means = upstreamMeans({ clock, wheel, log, dialer });
  const snapshot = buildSnapshot(config, fromNothing(means));
  return new Edge({ ...means, carrier, snapshot, sessionsMax: 1 });
}

/** The proxy has destroyed the connection: what is sent to it now is answered with a reset. */
async function expectCutOff(client: RawClient): Promise<void> {
  for (let sent = 0; sent < LINGER_BYTES / 2 && !client.isClosed; sent += 1) {
    client.send('x');
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await client.closed).toMatchObject({ error: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) });
}

describe('session caps', () => {
  test('a route that is full answers 503 with Retry-After, other routes do not, and the place comes back', async () => {
    const one = requestOf({ line: 'GET /one/ HTTP/1.1' });
    const other = requestOf({ line: 'GET /other/ HTTP/1.1' });
    const held = await gate.opens(one, { target: '/one/' });
    expect(await gate.refuses(one, '503 too_many_sessions')).toMatchObject({ route: 'one', path: '/one/' });
    await gate.accepts(other, { target: '/other/' });
    await closeCleanly(held);
    await gate.tap.waitFor('session.end', (line) => line.path === '/one/');
    // A handshake that has not come through holds a place too, and gives it back.
    const { client, server } = await gate.reaches(one, { target: '/one/' });
    await gate.refuses(one, '503 too_many_sessions');
    server.destroy();
    await gate.expectRefused(client, '502 backend_handshake');
    await gate.accepts(one, { target: '/one/' });
  });

  test('the whole proxy: the connection over the cap is told at once, before it says anything', async () => {
    const own = await startGate((url) => ({
      limits: { max_sessions: 3 },
      log: { level: 'debug' },
      routes: [{ name: 'test', upstream: url }],
    }));
    const held = await own.opens(plain);
    const opening = await own.reaches(plain);
    const silent = await own.connect();
    const retries = new Set<string>();
    for (let i = 0; i < 40; i += 1) {
      own.clock.advance(100);
      const client = await own.connect();
      const answer = await client.readResponse();
      const id = expectRefusal(answer, '503 too_many_sessions');
      await expectEnd(client);
      retries.add(answer.head.field('retry-after') ?? '');
      expect(await own.refusalLine(id)).toMatchObject({ level: 'warn', client: '127.0.0.1', listener: 'test' });
    }
    // 40 draws of five: fewer than three different ones once in 10^14 runs.
    expect(retries.size).toBeGreaterThanOrEqual(3);
    silent.destroy();
    await own.tap.waitFor('handshake.refused', (line) => line.error === 'client_gone');
    await opening.server.accept();
    await opening.client.readHead();
    await closeCleanly(held);
    await closeCleanly(opening);
    await own.accepts(plain);
  });

  test('draining: a handshake under way gets 503 with Retry-After', async () => {
    const own = await startGate();
    const { client, server } = await own.reaches(plain);
    const silent = await own.connect();
    await own.settled();
    const drained = own.proxy.drain();
    await own.expectRefused(client, '503 draining');
    await silent.closed;
    expect(silent.received.length).toBe(0);
    expect(await server.closed).toMatchObject({ fin: true });
    expect(await drained).toEqual({ closed: 0, cut: 0 });
  });
});

describe('a client that leaves before its 101', () => {
  const goneIs = (fits: (line: LogLine) => boolean): Promise<LogLine> =>
    gate.tap.waitFor('handshake.refused', (line) => line.error === 'client_gone' && fits(line));

  test('while the backend is asked: nothing is sent, the backend is let go, one line at debug', async () => {
    for (const leave of ['end', 'reset'] as const) {
      const target = `/other/${leave}`;
      const { client, server } = await gate.reaches(requestOf({ line: `GET ${target} HTTP/1.1` }), { target });
      client[leave]();
      expect(await server.closed).toMatchObject({ fin: true });
      const line = await goneIs(({ path }) => path === target);
      expect(line).toMatchObject({ level: 'debug', route: 'other', tries: 1, client: '127.0.0.1' });
      expect(Object.keys(line)).not.toContain('status');
      expect(client.received.length).toBe(0);
    }
  });

  test('in the middle of its head, and before the first byte of it', async () => {
    const half = await gate.connect();
    half.end(Buffer.from('GET /half HTTP/1.1\r\nHost: a\r\n'));
    expect(await half.closed).toMatchObject({ fin: true, error: null });
    expect(half.received.length).toBe(0);
    expect(await goneIs(({ path }) => path === '/half')).toMatchObject({ level: 'debug', host: 'a' });
    const silent = await gate.connect();
    silent.end();
    expect(await silent.closed).toMatchObject({ fin: true, error: null });
    expect(await goneIs(({ path }) => path === undefined)).toMatchObject({ level: 'debug', client: '127.0.0.1' });
  });

  test('its place on the route is free again', async () => {
    const one = requestOf({ line: 'GET /one/ HTTP/1.1' });
    const { client, server } = await gate.reaches(one, { target: '/one/' });
    client.reset();
    await server.closed;
    await gate.accepts(one, { target: '/one/' });
  });

  test('with the usual level of the log there is no line', async () => {
    const own = await startGate();
    const { client, server } = await own.reaches(plain);
    client.reset();
    await server.closed;
    expect(own.tap.lines.filter((line) => line.event.startsWith('handshake'))).toEqual([]);
  });
});
