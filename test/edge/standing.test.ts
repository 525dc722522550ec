import { describe, expect, test } from 'vitest';
import { DialError } from '../../src/net/dial-error.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { MemoryTransport } from '../support/memory-transport.ts';
import { binary, closeOf, parseFrames, text, upgradeRequest } from '../support/wire.ts';
import { Rig, SWITCHED } from './rig.ts';

const UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable';
const TIMED_OUT = 'HTTP/1.1 504 Gateway Timeout';
const A = { name: 'a', url: 'ws://192.0.2.1:1' };
const B = { name: 'b', url: 'ws://192.0.2.2:1' };

function configOf(over: Partial<ConfigInput> = {}): Partial<ConfigInput> {
  return {
    routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'one' }],
    upstreams: { one: { targets: [A, B] } },
    ...over,
  };
}

/** A handshake whose 101 is on its way when `change` happens; gives its answer. */
async function during(rig: Rig, change: () => void): Promise<string> {
  const client = rig.connect();
  await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
  change();
  await rig.switchBackend(0);
  const answer = await rig.answer(client);
  if (answer === SWITCHED) return answer;
  expect(rig.backends[0]?.destroyed).toBe(true);
  expect([rig.edge.sessions.size, rig.edge.metrics.process.handshakesOpen]).toEqual([0, 0]);
  return answer;
}

function causeOf(rig: Rig): unknown[] {
  return rig.tap.lines.filter(({ event }) => event === 'handshake.refused').map(({ error, cause }) => [error, cause]);
}

const OTHER = { name: 'other', match: { path: '/other' }, upstream: 'one' };

describe('a handshake whose 101 is on its way is looked at again when it would become a session', () => {
  test.each<[what: string, change: (rig: Rig) => void, cause: string]>([
    ['its route is drained', (rig) => Object.assign(rig.route(), { draining: true }), 'route_drain'],
    ['its target is drained', (rig) => rig.target(0).bar('draining', 'admin', 0), 'target_drain'],
    [
      'checks took its target down, whose sessions get a Close then',
      (rig) => {
        rig.reload(configOf({ upstreams: { one: { targets: [A, B], health: { on_down: 'drain' } } } }));
        rig.target(0).bar('down', 'check', 0);
      },
      'target_drain',
    ],
    ['its route is gone', (rig) => rig.reload(configOf({ routes: [OTHER] })), 'route_removed'],
    [
      'its route is gone, and another one has its name',
      (rig) => {
        rig.reload(configOf({ routes: [OTHER] }));
        rig.reload(configOf());
      },
      'route_removed',
    ],
    ['its target is gone', (rig) => rig.reload(configOf({ upstreams: { one: { targets: [B] } } })), 'target_removed'],
    [
      'its target has another address',
      (rig) => rig.reload(configOf({ upstreams: { one: { targets: [{ ...A, url: B.url }, B] } } })),
      'target_removed',
    ],
    [
      'its upstream is gone',
      (rig) =>
        rig.reload({
          routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'two' }],
          upstreams: { two: { targets: [A] } },
        }),
      'target_removed',
    ],
  ])('%s: 503 draining', async (_what, change, cause) => {
    const rig = new Rig(configOf());
    expect(await during(rig, () => change(rig))).toBe(UNAVAILABLE);
    expect(causeOf(rig)).toEqual([['draining', cause]]);
  });

  test.each<[what: string, change: (rig: Rig) => void]>([
    ['checks took its target down, whose sessions stay', (rig) => rig.target(0).bar('down', 'check', 0)],
    ['another target is drained', (rig) => rig.target(1).bar('draining', 'admin', 0)],
    [
      'its route was drained, and is no longer',
      (rig) => {
        rig.route().draining = true;
        rig.route().draining = false;
      },
    ],
    [
      'its route goes to another upstream, and its own is still there',
      (rig) =>
        rig.reload({
          routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'two' }],
          upstreams: { one: { targets: [A] }, two: { targets: [B] } },
        }),
    ],
  ])('%s: it becomes a session', async (_what, change) => {
    const rig = new Rig(configOf());
    expect(await during(rig, () => change(rig))).toBe(SWITCHED);
  });

  test('a session that got a target of the upstream before is told of with that upstream', async () => {
    const rig = new Rig(configOf());
    const moved = {
      routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'two' }],
      upstreams: { one: { targets: [A] }, two: { targets: [{ ...B, name: 'a' }] } },
    };
    expect(await during(rig, () => rig.reload(moved))).toBe(SWITCHED);
    const [record] = rig.edge.sessions;
    expect([record?.facts.upstream, record?.facts.target]).toEqual(['one', 'a']);
  });

  test('framegate drains: it is refused before the sessions are told, and none comes behind them', async () => {
    const rig = new Rig(configOf());
    const client = rig.connect();
    await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
    rig.edge.refusing = true;
    for (const connection of [...rig.edge.connections]) connection.drain(0);
    expect(await rig.answer(client)).toBe(UNAVAILABLE);
    expect(rig.backends[0]?.destroyed).toBe(true);
  });
});

describe('what a reload changes holds for handshakes under way', () => {
  const timeouts = (open: string, handshake = '10s') => configOf({ timeouts: { open, handshake, upgrade: '60s' } });

  test('a shorter open: counted from the head', async () => {
    const rig = new Rig(timeouts('15s'));
    const client = rig.connect();
    await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
    rig.pass(3_000);
    rig.reload(timeouts('4s'));
    rig.pass(999);
    expect(client.receivedBytes).toBe(0);
    rig.pass(2);
    expect(await rig.answer(client)).toBe(TIMED_OUT);
  });

  test('an open that has passed already: at once', async () => {
    const rig = new Rig(timeouts('15s'));
    const client = rig.connect();
    await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
    rig.pass(3_000);
    rig.reload(timeouts('2s'));
    rig.pass(1);
    expect(await rig.answer(client)).toBe(TIMED_OUT);
  });

  test('a longer open', async () => {
    const rig = new Rig(timeouts('2s'));
    const client = rig.connect();
    await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
    rig.reload(timeouts('5s'));
    rig.pass(4_000);
    await rig.switchBackend(0);
    expect(await rig.answer(client)).toBe(SWITCHED);
  });

  test('a shorter handshake, for heads that are not complete; caps on heads, for those not begun', async () => {
    const rig = new Rig(timeouts('15s'));
    const client = rig.connect(Buffer.from('GET /echo'));
    const silent = rig.connect(Buffer.alloc(0));
    rig.pass(1_000);
    rig.reload({ ...timeouts('15s', '2s'), limits: { max_header_fields: 5 } });
    silent.send(upgradeRequest({ path: '/echo', headers: { a: '1', b: '2', c: '3', d: '4' } }));
    silent.pump();
    expect(await rig.answer(silent)).toBe('HTTP/1.1 431 Request Header Fields Too Large');
    rig.pass(1_001);
    expect(await rig.answer(client)).toBe('HTTP/1.1 408 Request Timeout');
  });

  test('a smaller max_early_bytes', async () => {
    const limited = (size: string) => configOf({ limits: { max_early_bytes: size } });
    const rig = new Rig(limited('64KiB'));
    const client = rig.connect(
      Buffer.concat([upgradeRequest({ path: '/echo' }), binary(Buffer.alloc(2_000), { mask: true })]),
    );
    expect(client.paused).toBe(false);
    rig.reload(limited('1KiB'));
    expect(client.paused).toBe(true);
  });

  test('limits of the session', async () => {
    const limited = (size: string) => configOf({ limits: { from_client: { max_message_size: size } } });
    const rig = new Rig(limited('1MiB'));
    const client = rig.connect();
    await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
    rig.reload(limited('1KiB'));
    const backend = await rig.switchBackend(0);
    expect(await rig.answer(client)).toBe(SWITCHED);
    const before = backend.receivedBytes;
    client.send(text('x'.repeat(1_025), { mask: true }));
    client.pump();
    const [close] = parseFrames(backend.received.subarray(before));
    expect(close === undefined ? null : closeOf(close).code).toBe(1001);
    expect([...rig.edge.sessions][0]?.session.cause).toBe('client_message_too_big');
  });

  test('a retry goes to the upstream that the route has now', async () => {
    const rig = new Rig(configOf());
    let fail: (error: DialError) => void = () => {};
    rig.dialer.failures.push(new Promise((resolve) => (fail = resolve)));
    rig.connect();
    rig.reload({
      routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'two' }],
      upstreams: { one: { targets: [A] }, two: { targets: [{ name: 'c', url: 'ws://192.0.2.3:1' }] } },
    });
    fail(new DialError('backend_unreachable', 'ECONNREFUSED', 'refused'));
    await rig.until(() => rig.target(0).sessions === 1);
    expect([rig.target(0).name, rig.backends[0]]).toEqual(['c', expect.any(MemoryTransport)]);
  });

  const C = { name: 'c', url: 'ws://192.0.2.3:1' };

  test.each<[what: string, next: Partial<ConfigInput>, answer: string, refused: unknown[]]>([
    [
      'and its upstream is gone: the line of the failed try is written all the same',
      { routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'two' }], upstreams: { two: { targets: [C] } } },
      SWITCHED,
      [],
    ],
    [
      'and so is its route: the upstream that it stands on is tried on, and what is gone is told',
      { routes: [{ ...OTHER, upstream: 'two' }], upstreams: { two: { targets: [C] } } },
      UNAVAILABLE,
      [['draining', 'route_removed']],
    ],
  ])('a dial fails %s', async (_what, next, answer, refused) => {
    const rig = new Rig(configOf());
    let fail: (error: DialError) => void = () => {};
    rig.dialer.failures.push(new Promise((resolve) => (fail = resolve)));
    const client = rig.connect();
    rig.reload(next);
    fail(new DialError('backend_unreachable', 'ECONNREFUSED', 'refused'));
    await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
    await rig.switchBackend(0);
    expect(await rig.answer(client)).toBe(answer);
    expect(rig.tap.lines.flatMap(({ event, target }) => (event === 'target.dial_failed' ? [target] : []))).toEqual([
      'a',
    ]);
    expect(causeOf(rig)).toEqual(refused);
  });
});
