// What may go wrong between a primary, which counts for all, and its workers, which have the clients: rows K20 to K30.

import { createHash, createHmac } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { DeskRig, type RigClient } from '../fleet/desk-rig.ts';
import { upgradeRequest } from '../support/wire.ts';

const SECRET = 'a secret of thirty-two bytes, or more';
/** What a signature is over. */
const SIGNED = ['(request-target)', 'host', 'date', 'x-nonce'];
const KEYS = [{ name: 'acme', sha256: createHash('sha256').update('acme').digest('hex') }];
const ECHO = upgradeRequest({ path: '/echo' });
const as = (key: string) => upgradeRequest({ path: '/echo', headers: [['X-API-Key', key]] });
const PAGE = Buffer.from('GET /page HTTP/1.1\r\nHost: a\r\n\r\n');
const QUEUE = { size: 5, timeout: '5s' } as const;

type Targets = NonNullable<NonNullable<ConfigInput['upstreams']>[string]['targets']>;
const oneTarget = (more: object = {}): Targets => [{ name: 'a', url: 'ws://192.0.2.1:1', ...more }];

/** One target for one session, and a queue. */
function configOf(over: Partial<ConfigInput> = {}, targets = oneTarget({ max_sessions: 1 })): Partial<ConfigInput> {
  return {
    routes: [
      { name: 'echo', match: { path: '/echo' }, upstream: 'u' },
      { name: 'page', match: { path: '/page' }, http: 'u' },
    ],
    upstreams: { u: { targets, queue: QUEUE } },
    ...over,
  };
}

type Two = [DeskRig['workers'][number], DeskRig['workers'][number]];

function pairOf(config: Partial<ConfigInput> = configOf()): { rig: DeskRig; one: Two[0]; other: Two[1] } {
  const rig = new DeskRig(config, 2);
  const [one, other] = rig.workers as Two;
  return { rig, one, other };
}

function breakOff(client: RigClient): void {
  client.rst();
  client.pump();
}

const waitingAt = (rig: DeskRig): number[] => {
  const { handshakesOpen, handshakesWaiting } = rig.edge.metrics.process;
  return [handshakesOpen, handshakesWaiting, rig.upstream('u').queue.size];
};

/** The primary has nothing for anybody. */
function expectNothing(rig: DeskRig): void {
  expect([...rig.edge.guests]).toEqual([]);
  for (const { sessions, handshakes, requests } of rig.upstream('u').targets)
    expect([sessions, handshakes, requests]).toEqual([0, 0, 0]);
  expect(waitingAt(rig)).toEqual([0, 0, 0]);
}

test('K20: a client leaves while the answer to its worker is on its way: nothing is kept for it', async () => {
  const { rig, one, other } = pairOf();
  const client = rig.connect(one, '', ECHO);
  one.stepDown();
  one.stepUp();
  expect([rig.target('u', 'a').sessions, one.toWorker.length]).toEqual([1, 1]);
  breakOff(client);
  await rig.settle();
  expectNothing(rig);
  const next = rig.connect(other, '', ECHO);
  await rig.settle();
  expect(next.status).toBe('101');
});

test('K20: one of a request without upgrade leaves: neither is anything kept for that', async () => {
  const { rig, one } = pairOf();
  const client = rig.connect(one, '', PAGE);
  one.stepDown();
  one.stepUp();
  expect(rig.target('u', 'a').sessions).toBe(1);
  breakOff(client);
  await rig.settle();
  expectNothing(rig);
});

test('K21: a worker dies with sessions, with some who wait, and with a question on its way', async () => {
  const { rig, one, other } = pairOf();
  for (let at = 0; at < 3; at += 1) rig.connect(one, '', ECHO);
  await rig.settle();
  const page = rig.connect(one, '', PAGE);
  const waits = rig.connect(other, '', ECHO);
  await rig.settle();
  expect([waitingAt(rig), page.status, waits.status]).toEqual([[0, 3, 3], '503', '']);
  rig.connect(one, '', ECHO);
  one.stepDown();
  await rig.kill(one);
  await rig.settle();
  expect([waits.status, waitingAt(rig), [...rig.edge.guests].length]).toEqual(['101', [0, 0, 0], 1]);
  breakOff(waits);
  await rig.settle();
  expectNothing(rig);
});

test('K21: it dies with requests without upgrade that are under way', async () => {
  const { rig, one } = pairOf();
  one.backends.answer = null;
  rig.connect(one, '', PAGE);
  await rig.settle();
  expect(rig.target('u', 'a').requests).toBe(1);
  await rig.kill(one);
  expectNothing(rig);
});

test('K22: all workers ask at once for the last seats of an identity: as many as there are get one', async () => {
  const auth = { keys: { api_key: { keys: KEYS } } };
  const routes = [{ name: 'echo', match: { path: '/echo' }, upstream: 'u', auth: ['keys'] }];
  const limits = { max_sessions_per_identity: 3 };
  const { rig, one, other } = pairOf({ auth, routes, limits, upstreams: { u: { targets: oneTarget() } } });
  const clients = [one, other, one, other, one, other].map((worker) => rig.connect(worker, '', as('acme')));
  await rig.settle();
  expect(clients.map(({ status }) => status).sort()).toEqual(['101', '101', '101', '429', '429', '429']);
  expect(rig.edge.identities.sessionsOf('keys', 'acme')).toBe(3);
});

test('K23: a handshake asks anew before it is answered: what the first answer granted goes back', async () => {
  const move = (upstream: string) => {
    const routes = [
      { name: 'echo', match: { path: '/echo' }, upstream },
      { name: 'slow', match: { path: '/slow' }, upstream: 'v' },
    ];
    const v = { targets: [{ name: 'b', url: 'ws://192.0.2.2:1' }], max_handshakes: 1 };
    return { routes, upstreams: { u: { targets: oneTarget({ max_sessions: 1 }) }, v } };
  };
  const { rig, one, other } = pairOf(move('u'));
  other.backends.answer = null;
  const opening = rig.connect(other, '', upgradeRequest({ path: '/slow' }));
  await rig.settle();
  const client = rig.connect(one, '', ECHO);
  one.stepDown();
  rig.reload(move('v'));
  // The question of before is answered, and then the worker hears of the reload.
  one.stepUp();
  expect([rig.target('u', 'a').sessions, one.toWorker.map(([kind]) => kind)]).toEqual([1, ['commit', 'go']]);
  await rig.settle();
  // It waits for its turn on the other one, and has nothing of the first.
  expect([client.status, rig.target('u', 'a').sessions, rig.upstream('v').handshakes]).toEqual(['', 0, 1]);
  breakOff(opening);
  await rig.settle();
  expect([client.status, rig.placed]).toEqual(['101', { b: 1 }]);
});

test('K24: what a worker names is gone by a reload that it has not heard of: 503, and nothing is held', async () => {
  const { rig, one } = pairOf();
  const client = rig.connect(one, '', ECHO);
  one.stepDown();
  rig.reload({
    routes: [{ name: 'other', match: { path: '/other' }, upstream: 'u' }],
    upstreams: { u: { targets: oneTarget() } },
  });
  one.stepUp();
  expect(one.toWorker.map(([kind]) => kind)).toEqual(['commit', 'barred']);
  await rig.settle();
  expect([client.status, rig.refusals]).toEqual(['503', ['draining route_removed']]);
  expectNothing(rig);
});

test('K25: a fault of ours in what one handshake asks: 500, those behind it go on, nothing is held', async () => {
  const { rig, one } = pairOf(configOf({}, oneTarget()));
  const { slots } = rig.edge;
  const ask = slots.ask.bind(slots);
  let faults = 1;
  slots.ask = (request) => {
    faults -= 1;
    if (faults === 0) throw new Error('a fault');
    return ask(request);
  };
  const clients = [rig.connect(one, '', ECHO), rig.connect(one, '', ECHO)];
  await rig.settle();
  expect(clients.map(({ status }) => status)).toEqual(['500', '101']);
  expect(rig.tap.lines.filter(({ event }) => event === 'handshake.fault')).toHaveLength(1);
  breakOff(clients[1] as RigClient);
  await rig.settle();
  expectNothing(rig);
});

test('K26: one client fills the queue for turns by way of all workers: another one is let in before it', async () => {
  const limits = { max_handshakes: 1, max_waiting_handshakes: 4, max_sessions_per_ip: 'off' as const };
  const { rig, one, other } = pairOf(configOf({ limits }, oneTarget()));
  for (const { backends } of rig.living) backends.answer = null;
  const greedy: RigClient[] = [];
  for (let at = 0; at < 5; at += 1) {
    greedy.push(rig.connect(at % 2 === 0 ? one : other, '203.0.113.1', ECHO));
    await rig.settle();
  }
  const modest = rig.connect(other, '203.0.113.2', ECHO);
  await rig.settle();
  expect(greedy.map(({ status }) => status)).toEqual(['', '', '', '', '503']);
  breakOff(greedy[0] as RigClient);
  await rig.settle();
  expect([greedy[1]?.status, modest.status, waitingAt(rig)]).toEqual(['', '', [1, 3, 0]]);
  breakOff(greedy[1] as RigClient);
  await rig.settle();
  const opening = [...other.edge.connections].filter(({ arrival }) => arrival.client === '203.0.113.2');
  expect([opening.length, rig.upstream('u').handshakes]).toEqual([1, 1]);
  const held = [...rig.edge.guests].filter(({ target }) => target !== null).map(({ seat }) => seat.key);
  expect(held).toEqual(['203.0.113.2']);
});

test('K27: a request without upgrade of one worker takes no room before the handshakes of another', async () => {
  const { rig, one, other } = pairOf();
  const holder = rig.connect(one, '', ECHO);
  await rig.settle();
  const waits = rig.connect(one, '', ECHO);
  await rig.settle();
  // There is room from the next step on; the request is asked for before whoever waits has been called.
  const page = rig.connect(other, '', PAGE);
  other.stepDown();
  breakOff(holder);
  while (!one.toPrimary.some(([kind]) => kind === 'leave')) await nextTurn();
  while (one.stepUp());
  expect(rig.target('u', 'a').hasRoom).toBe(true);
  other.stepUp();
  await rig.settle();
  expect([page.status, waits.status]).toEqual(['503', '101']);
});

test('K28: a target is drained while a handshake is on its way there from a worker: 503, no session', async () => {
  const { rig, one } = pairOf(configOf({}, oneTarget()));
  const client = rig.connect(one, '', ECHO);
  one.stepDown();
  one.stepUp();
  rig.target('u', 'a').bar('draining', 'admin', rig.clock.now());
  await rig.settle();
  expect([client.status, rig.refusals]).toEqual(['503', ['draining target_drain']]);
  expectNothing(rig);
});

test('K29: a signed request is replayed at another worker: it counts once', async () => {
  const { rig, one, other } = pairOf({
    auth: { signed: { hmac: { keys: [{ name: 'acme', secret: SECRET }], headers: SIGNED, replay: 'refuse' } } },
    routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'u', auth: ['signed'] }],
    upstreams: { u: { targets: oneTarget() } },
  });
  const signed = signedAt(rig.wallNow());
  const clients = [rig.connect(one, '', signed), rig.connect(other, '', signed)];
  await rig.settle();
  expect(clients.map(({ status }) => status).sort()).toEqual(['101', '401']);
  const again = rig.connect(other, '', signed);
  await rig.settle();
  expect(again.status).toBe('401');
});

function signedAt(ms: number): Buffer {
  const date = new Date(ms).toUTCString();
  const values = ['get /echo', 'framegate.test', date, 'once'];
  const text = SIGNED.map((name, at) => `${name}: ${values[at]}`).join('\n');
  const signature = createHmac('sha256', SECRET).update(text).digest('base64');
  const credentials = `keyId="acme",algorithm="hmac-sha256",headers="${SIGNED.join(' ')}",signature="${signature}"`;
  const headers: [string, string][] = [
    ['Date', date],
    ['X-Nonce', 'once'],
    ['Authorization', `Signature ${credentials}`],
  ];
  return upgradeRequest({ path: '/echo', host: 'framegate.test', headers });
}

test('K30: bad credentials of one address spread over workers count together', async () => {
  const auth = { keys: { api_key: { keys: KEYS } } };
  const routes = [{ name: 'echo', match: { path: '/echo' }, upstream: 'u', auth: ['keys'] }];
  const limits = { auth_failures_per_minute_per_ip: 3 };
  const rig = new DeskRig({ auth, routes, limits, upstreams: { u: { targets: oneTarget() } } }, 4);
  const statuses: string[] = [];
  for (let at = 0; at < 8; at += 1) statuses.push((await rig.open('203.0.113.1', as(`guess-${at}`))).status);
  expect(statuses).toEqual(['401', '401', '401', '429', '429', '429', '429', '429']);
  // The same one again and again is one, whichever worker it comes to.
  const same: string[] = [];
  for (let at = 0; at < 8; at += 1) same.push((await rig.open('203.0.113.2', as('old'))).status);
  expect(new Set(same)).toEqual(new Set(['401']));
  expect((await rig.open('203.0.113.3', as('acme'))).status).toBe('101');
});
