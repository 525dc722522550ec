import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { upgradeRequest } from '../support/wire.ts';
import { NOTHING, Rig, SWITCHED } from './rig.ts';

const TOO_MANY = 'HTTP/1.1 429 Too Many Requests';
const UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable';
const REQUEST = upgradeRequest({ path: '/echo' });
const PROBE = Buffer.from('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
const A = '192.0.2.1';
const B = '192.0.2.2';
const PROXY = '198.51.100.1';

function perIp(max: number, over: Partial<ConfigInput> = {}): Partial<ConfigInput> {
  return { limits: { max_sessions_per_ip: max }, ...over };
}

const forwarded = (client: string) => upgradeRequest({ path: '/echo', headers: { 'X-Forwarded-For': client } });

describe('a connection counts under the address of its peer from accept on', () => {
  test('silent ones count; one more is 429 before its head, and others come in', async () => {
    const rig = new Rig(perIp(2));
    const silent = [rig.connect(NOTHING, A), rig.connect(NOTHING, A)];
    expect(await rig.answer(rig.connect(NOTHING, A))).toBe(TOO_MANY);
    expect(await rig.answer(rig.connect(REQUEST, B))).toBe(SWITCHED);
    silent[0]?.fin();
    silent[0]?.pump();
    expect(await rig.answer(rig.connect(REQUEST, A))).toBe(SWITCHED);
    const [line] = rig.tap.lines.filter(({ event }) => event === 'handshake.refused');
    expect(line).toMatchObject({ error: 'too_many_sessions_per_ip', cause: 'max_sessions_per_ip', client: A });
    expect(rig.listener[2]).toEqual({ too_many_sessions_per_ip: 1 });
  });

  test('one that becomes a handshake and a session counts once, until it ends', async () => {
    const rig = new Rig(perIp(2));
    const clients = [rig.connect(REQUEST, A), rig.connect(REQUEST, A)];
    for (const client of clients) expect(await rig.answer(client)).toBe(SWITCHED);
    expect(await rig.answer(rig.connect(REQUEST, A))).toBe(TOO_MANY);
    for (const client of clients) client.rst();
    for (const client of clients) client.pump();
    await rig.until(() => rig.edge.sessions.size === 0);
    const next = [rig.connect(REQUEST, A), rig.connect(REQUEST, A)];
    for (const client of next) expect(await rig.answer(client)).toBe(SWITCHED);
  });

  test('one that was refused counts until it is gone', async () => {
    const rig = new Rig(perIp(1));
    const refused = rig.connect(upgradeRequest({ path: '/nowhere' }), A);
    expect(await rig.answer(refused)).toBe('HTTP/1.1 404 Not Found');
    expect(await rig.answer(rig.connect(REQUEST, A))).toBe(TOO_MANY);
    refused.fin();
    refused.pump();
    expect(await rig.answer(rig.connect(REQUEST, A))).toBe(SWITCHED);
  });

  test('a trusted proxy counts for its clients only, once their heads tell them', async () => {
    const rig = new Rig(perIp(1, { trusted_proxies: [PROXY] }));
    for (let i = 0; i < 5; i += 1) rig.connect(NOTHING, PROXY);
    expect(await rig.answer(rig.connect(forwarded(A), PROXY))).toBe(SWITCHED);
    expect(await rig.answer(rig.connect(forwarded(B), PROXY))).toBe(SWITCHED);
    expect(await rig.answer(rig.connect(forwarded(A), PROXY))).toBe(TOO_MANY);
    // Straight from there it is the same client.
    expect(await rig.answer(rig.connect(REQUEST, A))).toBe(TOO_MANY);
  });

  test('a peer that a reload begins to trust counts no longer once its head names another client', async () => {
    const rig = new Rig(perIp(1));
    const client = rig.connect(NOTHING, PROXY);
    rig.reload(perIp(1, { trusted_proxies: [PROXY] }));
    client.send(forwarded(A));
    client.pump();
    expect(await rig.answer(client)).toBe(SWITCHED);
    expect(await rig.answer(rig.connect(REQUEST, A))).toBe(TOO_MANY);
    rig.reload(perIp(1));
    expect(await rig.answer(rig.connect(REQUEST, PROXY))).toBe(SWITCHED);
  });

  test('a cap that a reload sets knows those who are here', async () => {
    const rig = new Rig();
    for (let i = 0; i < 3; i += 1) rig.connect(NOTHING, A);
    rig.reload(perIp(3));
    expect(await rig.answer(rig.connect(NOTHING, A))).toBe(TOO_MANY);
  });

  test('a flood over the cap: a few are told, the rest is cut off, and nothing of it stays', async () => {
    const rig = new Rig(perIp(1));
    await rig.answer(rig.connect(REQUEST, A));
    const flood = Array.from({ length: 50 }, () => rig.connect(NOTHING, A));
    expect(flood.filter((client) => client.receivedBytes > 0)).toHaveLength(4);
    expect(flood.filter((client) => client.destroyed)).toHaveLength(46);
    expect(await rig.answer(rig.connect(REQUEST, B))).toBe(SWITCHED);
    rig.pass(2_001);
    expect(rig.edge.connections.size).toBe(0);
    expect(rig.listener[2]).toEqual({ too_many_sessions_per_ip: 50 });
  });

  test('peers without an address are not limited', async () => {
    const rig = new Rig(perIp(1));
    for (let i = 0; i < 3; i += 1) expect(await rig.answer(rig.connect(REQUEST))).toBe(SWITCHED);
  });
});

describe('when every place is taken', () => {
  const listeners = [{ name: 'in', health_path: '/healthz' }];
  /** Full of silent connections of one address. */
  const full = () => {
    const rig = new Rig({ listeners }, 3);
    for (let i = 0; i < 3; i += 1) rig.connect(NOTHING, A);
    return rig;
  };

  test('a probe on a health_path listener is answered', async () => {
    const rig = full();
    expect(await rig.answer(rig.connect(PROBE, B))).toBe('HTTP/1.1 200 OK');
    expect(rig.listener[2]).toEqual({});
  });

  test('a handshake is 503 max_sessions, as soon as its head shows what it is', async () => {
    const rig = full();
    expect(await rig.answer(rig.connect(REQUEST, B))).toBe(UNAVAILABLE);
    const [line] = rig.tap.lines.filter(({ event }) => event === 'handshake.refused');
    expect(line).toMatchObject({ error: 'too_many_sessions', cause: 'max_sessions' });
    expect(rig.listener[2]).toEqual({ too_many_sessions: 1 });
  });

  test('eight may ask; for one more the oldest goes, so that silent ones keep no probe out', async () => {
    const rig = full();
    const silent = Array.from({ length: 100 }, () => rig.connect(NOTHING, A));
    expect(silent.filter((client) => !client.destroyed)).toEqual(silent.slice(-8));
    expect(rig.edge.connections.size).toBe(3 + 8);
    expect(await rig.answer(rig.connect(PROBE, B))).toBe('HTTP/1.1 200 OK');
    expect(rig.listener[2]).toEqual({ too_many_sessions: 93 });
  });

  test('they take no place of others: one that is free is taken', async () => {
    const rig = new Rig({ listeners }, 3);
    const held = [1, 2, 3].map(() => rig.connect(NOTHING, A));
    for (let i = 0; i < 8; i += 1) rig.connect(NOTHING, A);
    held[0]?.fin();
    held[0]?.pump();
    expect(await rig.answer(rig.connect(REQUEST, B))).toBe(SWITCHED);
  });

  test('without a health_path nobody is read', async () => {
    const rig = new Rig({}, 1);
    rig.connect(NOTHING, A);
    expect(await rig.answer(rig.connect(PROBE, B))).toBe(UNAVAILABLE);
  });
});
