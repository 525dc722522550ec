// How a worker asks for the seats of its handshakes and requests, and that limits of addresses and identities mean the
// same for all workers together.

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { upgradeRequest } from '../support/wire.ts';
import { DeskRig, type RigClient } from './desk-rig.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');
const KEYS = ['acme', 'bob'].map((name) => ({ name, sha256: digest(name), quota: { max_sessions: 3 } }));
const as = (key: string) => upgradeRequest({ path: '/echo', headers: [['X-API-Key', key]] });
const get = (path = '/page') => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
const TARGETS = [{ name: 'a', url: 'ws://192.0.2.1:1' }];

interface Own {
  readonly auth?: boolean;
  readonly route?: NonNullable<ConfigInput['routes'][number]['limits']>;
  readonly limits?: ConfigInput['limits'];
  readonly target?: { max_sessions?: number };
  readonly queue?: { size: number; timeout: `${number}s` };
}

function configOf({ auth = false, route = {}, limits = {}, target = {}, queue }: Own = {}): Partial<ConfigInput> {
  const targets = TARGETS.map((one) => ({ ...one, ...target }));
  return {
    ...(auth ? { auth: { keys: { api_key: { keys: KEYS } } } } : {}),
    routes: [
      { name: 'echo', match: { path: '/echo' }, upstream: 'u', limits: route, ...(auth ? { auth: ['keys'] } : {}) },
      { name: 'page', match: { path: '/*' }, http: 'u' },
    ],
    upstreams: { u: { targets, ...(queue === undefined ? {} : { queue }) } },
    limits,
  };
}

/** Kinds of what a worker asked since, in order. */
async function asked(rig: DeskRig, request?: Buffer): Promise<string[]> {
  const [worker] = rig.living;
  if (worker === undefined) throw new Error('there is no worker');
  const kinds: string[] = [];
  rig.onAsk = (message) => kinds.push(message[0]);
  rig.connect(worker, '192.0.2.7', request);
  await rig.settle();
  return kinds;
}

const statusOf = (clients: readonly RigClient[]): string[] => clients.map(({ status }) => status);

describe('what is asked', () => {
  test('one question without auth, which takes seat, turn and target', async () => {
    const rig = new DeskRig(configOf(), 1);
    expect(await asked(rig)).toEqual(['turn', 'session']);
    expect(rig.living[0]?.answered).toBe(1);
  });

  test('two with auth: nobody is asked for a turn who has no seat, nor judged', async () => {
    const rig = new DeskRig(configOf({ auth: true }), 1);
    expect(await asked(rig, as('acme'))).toEqual(['enter', 'turn', 'session']);
    expect(rig.living[0]?.answered).toBe(2);
    // Who is refused in between gives its seat back.
    expect(await asked(rig, as('nobody'))).toEqual(['enter', 'seen', 'leave']);
  });

  test('an end is told when it begins, when the connection is over and when all is given back', async () => {
    const rig = new DeskRig(configOf(), 1);
    const client = await rig.open();
    const kinds: string[] = [];
    rig.onAsk = (message) => kinds.push(message[0]);
    await rig.end(client);
    expect(kinds).toEqual(['ending', 'gone', 'leave']);
  });

  test('a request without upgrade: its rate where there is one, its target, its connection, its end', async () => {
    const rig = new DeskRig(configOf(), 1);
    for (const { backends } of rig.living) backends.answer = ANSWER;
    expect(await asked(rig, get())).toEqual(['choose', 'request', 'leave']);
    const limited = new DeskRig(configOf({ limits: { requests_per_second_per_ip: 5 } }), 1);
    for (const { backends } of limited.living) backends.answer = ANSWER;
    expect(await asked(limited, get())).toEqual(['rate', 'choose', 'request', 'leave']);
  });
});

describe('limits of all workers together', () => {
  test('sessions and rates of an address', async () => {
    const rig = new DeskRig(configOf({ limits: { max_sessions_per_ip: 3 } }), 4);
    const clients: RigClient[] = [];
    for (let at = 0; at < 4; at += 1) clients.push(await rig.open('203.0.113.1'));
    expect(clients.map(({ isTurnedAway }) => isTurnedAway)).toEqual([false, false, false, true]);
    await rig.end(clients[0] as RigClient);
    expect((await rig.open('203.0.113.1')).status).toBe('101');
    const slow = new DeskRig(configOf({ limits: { handshakes_per_second_per_ip: 3 } }), 4);
    const answers: string[] = [];
    for (let at = 0; at < 10; at += 1) answers.push((await slow.open('203.0.113.1')).status);
    const one = answers.filter((status) => status === '101').length;
    expect([one, new Set(answers.slice(one))]).toEqual([answers.lastIndexOf('101') + 1, new Set(['429'])]);
    expect(one).toBeLessThan(10);
    expect(slow.refusals[0]).toContain('handshakes_per_second_per_ip');
  });

  test('sessions of an identity, and the quota of its key; whoever has a seat of another worker counts', async () => {
    const rig = new DeskRig(configOf({ auth: true, limits: { max_sessions_per_identity: 2 } }), 3);
    const clients: RigClient[] = [];
    for (let at = 0; at < 4; at += 1) clients.push(await rig.open('', as('acme')));
    expect(statusOf(clients)).toEqual(['101', '101', '429', '429']);
    expect((await rig.open('', as('bob'))).status).toBe('101');
    expect(rig.edge.identities.sessionsOf('keys', 'acme')).toBe(2);
    const quota = new DeskRig(configOf({ auth: true }), 3);
    const many: RigClient[] = [];
    for (let at = 0; at < 4; at += 1) many.push(await quota.open('', as('acme')));
    expect(statusOf(many)).toEqual(['101', '101', '101', '429']);
    expect(quota.refusals[0]).toContain('quota.max_sessions');
  });

  test('max_sessions of a route; a cap that a reload brings counts what is open already', async () => {
    const rig = new DeskRig(configOf({ route: { max_sessions: 2 } }), 2);
    expect(statusOf([await rig.open(), await rig.open(), await rig.open()])).toEqual(['101', '101', '503']);
    rig.reload(configOf());
    for (let at = 0; at < 3; at += 1) await rig.open('203.0.113.1');
    rig.reload(configOf({ route: { max_sessions_per_ip: 3 } }));
    expect((await rig.open('203.0.113.1')).status).toBe('429');
    expect((await rig.open('203.0.113.2')).status).toBe('101');
  });

  test('a request takes a slot of its target while it lasts, and none before handshakes that wait', async () => {
    const rig = new DeskRig(configOf({ target: { max_sessions: 1 }, queue: { size: 2, timeout: '5s' } }), 2);
    for (const { backends } of rig.living) backends.answer = null;
    const [page, waits] = [await rig.open('', get()), await rig.open()];
    expect([rig.target('u', 'a').requests, rig.upstream('u').queue.size]).toEqual([1, 1]);
    expect((await rig.open('', get())).status).toBe('503');
    for (const { backends } of rig.living) backends.answer = ANSWER;
    const [backend] = rig.living.flatMap(({ backends }) => backends.all);
    backend?.send(ANSWER);
    backend?.pump();
    await rig.settle();
    expect([page.status, rig.target('u', 'a').requests, rig.upstream('u').queue.size]).toEqual(['200', 0, 0]);
    // It went on, to a backend that speaks no WebSocket.
    expect([waits.status, rig.target('u', 'a').sessions]).toEqual(['502', 0]);
  });

  test('a client that a PROXY header names counts from its head on, at the primary', async () => {
    const listeners = [{ name: 'in', proxy_protocol: 'v1' as const, trusted_proxies: ['198.51.100.0/24'] }];
    const rig = new DeskRig({ ...configOf({ limits: { max_sessions_per_ip: 2 } }), listeners }, 2);
    const request = Buffer.concat([
      Buffer.from('PROXY TCP4 203.0.113.1 203.0.113.9 1000 80\r\n'),
      upgradeRequest({ path: '/echo' }),
    ]);
    const clients: RigClient[] = [];
    for (let at = 0; at < 3; at += 1) clients.push(await rig.open('198.51.100.1', request));
    expect(statusOf(clients)).toEqual(['101', '101', '429']);
    await rig.end(clients[0] as RigClient);
    expect((await rig.open('198.51.100.1', request)).status).toBe('101');
    for (const one of clients) if (!one.destroyed) await rig.end(one);
  });
});
