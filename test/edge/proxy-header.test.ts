import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { ssl, v1, v2 } from '../protocol/proxy-headers.ts';
import { MemoryTransport } from '../support/memory-transport.ts';
import { upgradeRequest } from '../support/wire.ts';
import { NOTHING, Rig, SWITCHED } from './rig.ts';

const PROXY = '198.51.100.1';
const BAD_REQUEST = 'HTTP/1.1 400 Bad Request';
const TOO_MANY = 'HTTP/1.1 429 Too Many Requests';
const REQUEST = upgradeRequest({ path: '/echo' });
const PROBE = Buffer.from('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
const HEADER = v1('TCP4 192.0.2.9 198.51.100.7 4000 443');
const claiming = (client: string) => upgradeRequest({ path: '/echo', headers: { 'X-Forwarded-For': client } });

function expecting(over: Partial<ConfigInput> = {}, listener: object = {}): Rig {
  const listeners = [{ name: 'in', proxy_protocol: 'any' as const, ...listener }];
  return new Rig({ listeners, trusted_proxies: [PROXY], log: { session_open: 'info' }, ...over });
}

const joined = (...parts: readonly Buffer[]) => Buffer.concat(parts);
const lineOf = (rig: Rig, event: string) => rig.tap.lines.find((line) => line.event === event);

describe('a listener with proxy_protocol', () => {
  test('takes the source of a header for the peer, in one read with the head or cut anywhere', async () => {
    const rig = expecting();
    const whole = joined(HEADER, REQUEST);
    for (const cut of [0, 1, 20, HEADER.length - 1, HEADER.length, HEADER.length + 1, whole.length - 1]) {
      const client = rig.connect(whole.subarray(0, cut), PROXY);
      client.send(whole.subarray(cut));
      client.pump();
      expect(await rig.answer(client), `cut at ${cut}`).toBe(SWITCHED);
    }
    const line = lineOf(rig, 'session.open');
    expect(line).toMatchObject({ client: '192.0.2.9' });
    expect(line).not.toHaveProperty('peer');
  });

  test('closes who is not trusted at once, unread', () => {
    const rig = expecting();
    for (const bytes of [joined(HEADER, REQUEST), REQUEST, NOTHING]) {
      const client = rig.connect(bytes, '192.0.2.1');
      expect([client.destroyed, client.receivedBytes]).toEqual([true, 0]);
    }
    expect(rig.listener).toEqual([3, 0, { untrusted_peer: 3 }]);
    expect(rig.edge.open).toBe(0);
    expect(lineOf(rig, 'peer.refused')).toMatchObject({ level: 'debug', listener: 'in', peer: '192.0.2.1' });
  });

  test('closes on a broken header, and says why in the log', () => {
    const rig = expecting();
    const client = rig.connect(v1('TCP4 192.0.2.09 198.51.100.7 4000 443'), PROXY);
    expect([client.destroyed, client.receivedBytes]).toEqual([true, 0]);
    expect(rig.listener).toEqual([1, 0, { proxy_header: 1 }]);
    expect(lineOf(rig, 'handshake.refused')).toMatchObject({
      level: 'info',
      error: 'proxy_header',
      cause: 'PROXY header: address',
      client: PROXY,
    });
  });

  test('takes the versions that it says', () => {
    const isOpen = (versions: string, bytes: Buffer) =>
      !expecting({}, { proxy_protocol: versions }).connect(bytes, PROXY).destroyed;
    expect(['v1', 'v2', 'any'].map((versions) => [isOpen(versions, HEADER), isOpen(versions, v2())])).toEqual([
      [true, false],
      [false, true],
      [true, true],
    ]);
  });

  test('the peer of the socket is the peer where the header names none', async () => {
    const rig = expecting();
    for (const header of [v1('UNKNOWN'), v2({ versionAndCommand: 0x20 }), v2({ family: 0 })]) {
      // It is trusted, so its claims are believed.
      const client = rig.connect(joined(header, claiming('192.0.2.77')), PROXY);
      expect(await rig.answer(client)).toBe(SWITCHED);
    }
    expect(lineOf(rig, 'session.open')).toMatchObject({ client: '192.0.2.77', peer: PROXY });
  });

  test('a second header is no head', async () => {
    const rig = expecting();
    expect(await rig.answer(rig.connect(joined(HEADER, HEADER, REQUEST), PROXY))).toBe(BAD_REQUEST);
  });

  test('what a source claims is believed only if it is trusted itself', async () => {
    const rig = expecting({ trusted_proxies: [PROXY, '192.0.2.50'] });
    const opened = async (source: string) => {
      const header = v1(`TCP4 ${source} 198.51.100.7 4000 443`);
      expect(await rig.answer(rig.connect(joined(header, claiming('192.0.2.77')), PROXY))).toBe(SWITCHED);
      return rig.tap.lines.filter(({ event }) => event === 'session.open').at(-1);
    };
    expect(await opened('192.0.2.9')).toMatchObject({ client: '192.0.2.9' });
    expect(lineOf(rig, 'peer.claims_replaced')).toMatchObject({ peer: '192.0.2.9', fields: ['X-Forwarded-For'] });
    expect(await opened('192.0.2.50')).toMatchObject({ client: '192.0.2.77', peer: '192.0.2.50' });
  });
});

describe('counts per address go by the source', () => {
  test('one more than max_sessions_per_ip is told so, and others come in', async () => {
    const rig = expecting({ limits: { max_sessions_per_ip: 2 } });
    const silent = [rig.connect(HEADER, PROXY), rig.connect(HEADER, PROXY)];
    expect(await rig.answer(rig.connect(HEADER, PROXY))).toBe(TOO_MANY);
    expect(lineOf(rig, 'handshake.refused')).toMatchObject({
      error: 'too_many_sessions_per_ip',
      client: '192.0.2.9',
    });
    const other = v1('TCP4 192.0.2.10 198.51.100.7 4000 443');
    expect(await rig.answer(rig.connect(joined(other, REQUEST), PROXY))).toBe(SWITCHED);
    silent[0]?.fin();
    silent[0]?.pump();
    expect(await rig.answer(rig.connect(joined(HEADER, REQUEST), PROXY))).toBe(SWITCHED);
  });

  test('a proxy itself counts for nobody, however many connections wait for their header', async () => {
    const rig = expecting({ limits: { max_sessions_per_ip: 1 } });
    for (let i = 0; i < 5; i += 1) expect(rig.connect(NOTHING, PROXY).destroyed).toBe(false);
    expect(await rig.answer(rig.connect(joined(HEADER, REQUEST), PROXY))).toBe(SWITCHED);
  });

  test('what a session has taken goes back when it ends', async () => {
    const rig = expecting({ limits: { max_sessions_per_ip: 1 } });
    for (let round = 0; round < 3; round += 1) {
      const client = rig.connect(joined(HEADER, REQUEST), PROXY);
      expect(await rig.answer(client)).toBe(SWITCHED);
      client.rst();
      client.pump();
      await rig.until(() => rig.edge.open === 0);
    }
  });
});

describe('when all of max_sessions are taken', () => {
  test('a probe is answered, behind a header or without one; whoever else comes is told so', async () => {
    const rig = expecting({}, { health_path: '/healthz' });
    rig.edge.sessionsMax = 1;
    expect(await rig.answer(rig.connect(joined(HEADER, REQUEST), PROXY))).toBe(SWITCHED);
    for (const bytes of [PROBE, joined(HEADER, PROBE)])
      expect(await rig.answer(rig.connect(bytes, PROXY))).toBe('HTTP/1.1 200 OK');
    const refused = rig.connect(joined(HEADER, REQUEST), PROXY);
    expect(await rig.answer(refused)).toBe('HTTP/1.1 503 Service Unavailable');
    expect(lineOf(rig, 'handshake.refused')).toMatchObject({ error: 'too_many_sessions', client: '192.0.2.9' });
  });

  test('those that wait for their header make room for the next', async () => {
    const rig = expecting({}, { health_path: '/healthz' });
    rig.edge.sessionsMax = 1;
    expect(await rig.answer(rig.connect(joined(HEADER, REQUEST), PROXY))).toBe(SWITCHED);
    const parts = [NOTHING, HEADER, HEADER.subarray(0, 5)];
    const waiting = Array.from({ length: 20 }, (_, i) => rig.connect(parts[i % 3] ?? NOTHING, PROXY));
    expect(waiting.filter((client) => !client.destroyed)).toHaveLength(8);
    expect(await rig.answer(rig.connect(joined(HEADER, PROBE), PROXY))).toBe('HTTP/1.1 200 OK');
  });
});

describe('without a header', () => {
  test('a trusted peer is answered its health_path, and nothing else', async () => {
    const rig = expecting({}, { health_path: '/healthz' });
    expect(await rig.answer(rig.connect(PROBE, PROXY))).toBe('HTTP/1.1 200 OK');
    expect(await rig.answer(rig.connect(joined(HEADER, PROBE), PROXY))).toBe('HTTP/1.1 200 OK');
    const refused = rig.connect(REQUEST, PROXY);
    expect(await rig.answer(refused)).toBe(BAD_REQUEST);
    expect(refused.received.toString()).toContain('"proxy_header"');
    expect(lineOf(rig, 'handshake.refused')).toMatchObject({ error: 'proxy_header', cause: 'no PROXY header' });
    expect(rig.listener[2]).toEqual({ proxy_header: 1 });
    expect(rig.connect(PROBE, '192.0.2.1').destroyed).toBe(true);
  });

  test('without a health_path a request of a trusted peer is told what is missing', async () => {
    const rig = expecting();
    expect(await rig.answer(rig.connect(PROBE, PROXY))).toBe(BAD_REQUEST);
    expect(await rig.answer(rig.connect(REQUEST, PROXY))).toBe(BAD_REQUEST);
  });

  test.each([
    ['another method', Buffer.from('POST / HTTP/1.1\r\n\r\n')],
    ['TLS', Buffer.from('16030100', 'hex')],
    ['anything', Buffer.from('?')],
  ])('%s is closed', (_what, bytes) => {
    const rig = expecting({}, { health_path: '/healthz' });
    const client = rig.connect(bytes, PROXY);
    expect([client.destroyed, client.receivedBytes, rig.edge.open]).toEqual([true, 0, 0]);
    expect(rig.listener[2]).toEqual({ proxy_header: 1 });
  });
});

describe('a header that does not come', () => {
  test.each([
    ['not a byte', NOTHING],
    ['a part of it', HEADER.subarray(0, 20)],
  ])('%s: closed at timeouts.handshake, counted from accept', (_what, bytes) => {
    const rig = expecting({ timeouts: { handshake: '5s' } });
    const client = rig.connect(bytes, PROXY);
    rig.pass(4_900);
    expect([client.destroyed, rig.edge.open]).toEqual([false, 1]);
    client.send(HEADER.subarray(bytes.length, bytes.length + 1));
    client.pump();
    rig.pass(200);
    rig.pass(3_000);
    expect([client.destroyed, client.receivedBytes, rig.edge.open]).toEqual([true, 0, 0]);
    expect(rig.listener[2]).toEqual({ handshake_timeout: 1 });
  });

  test('whoever leaves before is gone, and nothing is counted', () => {
    const rig = expecting();
    const client = rig.connect(HEADER.subarray(0, 20), PROXY);
    client.fin();
    client.pump();
    expect([client.destroyed, rig.edge.open, rig.listener[2]]).toEqual([true, 0, {}]);
  });

  test('a drain of the process ends the wait', () => {
    const rig = expecting();
    const client = rig.connect(NOTHING, PROXY);
    for (const connection of rig.edge.connections) connection.drain(0);
    expect(client.destroyed).toBe(true);
  });
});

test('64 KiB of TLVs pass, in reads of any size', async () => {
  const tlvs = [ssl(1), { type: 0xea, value: Buffer.alloc(65_000) }];
  const bytes = joined(v2({ tlvs }), REQUEST);
  for (const size of [1_000, 65_536, bytes.length]) {
    const rig = expecting();
    const client = new MemoryTransport({ name: 'client', stable: true, address: PROXY });
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    rig.accept(client);
    client.send(...pieces);
    client.pump();
    expect(await rig.answer(client)).toBe(SWITCHED);
  }
});
