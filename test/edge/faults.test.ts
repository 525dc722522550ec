// A fault of framegate's own at every step of a handshake and of the end of a session: whatever it had taken comes
// back, nobody is left without an end, and the next client finds everything free.

import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import * as admitteds from '../../src/edge/admitted.ts';
import { ApiKeyMethod } from '../../src/edge/auth/api-key.ts';
import { EarlyBytes } from '../../src/edge/early-bytes.ts';
import { Edge } from '../../src/edge/edge.ts';
import { HandshakeRecord } from '../../src/edge/handshake-record.ts';
import { HandshakeSlots } from '../../src/edge/handshake-slots.ts';
import { Holdings } from '../../src/edge/holdings.ts';
import { IdentityLimits } from '../../src/edge/identity-limits.ts';
import * as loggedPaths from '../../src/edge/logged-path.ts';
import { Quotas } from '../../src/edge/quotas.ts';
import { Router } from '../../src/edge/router.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Log } from '../../src/observe/log.ts';
import { RouteMetrics } from '../../src/observe/metrics.ts';
import { TrafficProfile } from '../../src/observe/profile.ts';
import { TargetMetrics } from '../../src/observe/upstream-metrics.ts';
import * as forward from '../../src/protocol/backend-request.ts';
import { RequestHeadParser, ResponseHeadParser } from '../../src/protocol/http-head.ts';
import * as upgradeRequests from '../../src/protocol/upgrade-request.ts';
import * as upgradeResponses from '../../src/protocol/upgrade-response.ts';
import { Session } from '../../src/session/session.ts';
import { Target } from '../../src/upstream/target.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { closeFrame, text, upgradeRequest } from '../support/wire.ts';
import { Rig, SWITCHED } from './rig.ts';

vi.mock('../../src/edge/admitted.ts', { spy: true });
vi.mock('../../src/edge/logged-path.ts', { spy: true });
vi.mock('../../src/protocol/backend-request.ts', { spy: true });
vi.mock('../../src/protocol/upgrade-request.ts', { spy: true });
vi.mock('../../src/protocol/upgrade-response.ts', { spy: true });

type Method = (...args: never[]) => unknown;

/** Makes one function throw, once. */
type Fault = () => void;

function methodOf(owner: { readonly prototype: object }, name: string): Fault {
  return () => {
    const one = vi.spyOn(owner.prototype as Record<string, Method>, name);
    one.mockImplementationOnce(boom);
  };
}

function exportOf(module: object, name: string): Fault {
  return () => {
    const one = vi.mocked((module as Record<string, Method>)[name] as Method);
    one.mockImplementationOnce(boom);
  };
}

function boom(): never {
  throw new Error('injected');
}

const ROUTE = {
  name: 'echo',
  match: { path: '/echo' },
  auth: ['keys'],
  limits: { max_sessions: 1, max_sessions_per_ip: 1, max_sessions_per_identity: 1 },
};
const KEY = { name: 'acme', sha256: createHash('sha256').update('fgk_1').digest('hex'), quota: { max_sessions: 1 } };

/** One place everywhere, so that what is not given back refuses the next client. */
function rigOf(url: string): Rig {
  return new Rig({
    routes: [{ ...ROUTE, upstream: 'one' }],
    upstreams: { one: { targets: [{ url, max_sessions: 1 }], host: 'target' } },
    auth: { keys: { api_key: { keys: [KEY] } } },
    limits: { max_handshakes: 1, max_sessions_per_ip: 1, max_sessions_per_identity: 1 },
  });
}

const HEAD = upgradeRequest({ path: '/echo', headers: [['X-API-Key', 'fgk_1']] });
const REQUEST = Buffer.concat([HEAD, text('early', { mask: true })]);
const CLIENT = '192.0.2.1';
const BACKENDS = ['builtin:echo', 'ws://192.0.2.9:1'] as const;

/** Everything that is shared is as it was before anybody came. */
function expectNothingHeld(rig: Rig): void {
  const { edge, wheel } = rig;
  expect({
    open: edge.open,
    early: edge.buffers.early,
    handshakes: edge.metrics.process.handshakesOpen,
    route: rig.route().sessions,
    identity: edge.identities.sessionsOf('keys', 'acme'),
    target: rig.target().sessions,
    listener: edge.metrics.listener('in').connectionsOpen,
    sessions: edge.metrics.route('echo').sessionsOpen,
    backends: rig.backends.filter((backend) => !backend.destroyed).length,
    timers: wheel.size,
  }).toEqual({
    open: 0,
    early: 0,
    handshakes: 0,
    route: 0,
    identity: 0,
    target: 0,
    listener: 0,
    sessions: 0,
    backends: 0,
    timers: 0,
  });
}

async function answerOfBackend(rig: Rig, url: string, at: number): Promise<void> {
  if (url === 'builtin:echo') return;
  await rig.until(() => rig.backends.length > at || rig.edge.metrics.process.handshakesOpen === 0);
  const backend = rig.backends[at];
  if (backend === undefined || backend.destroyed) return;
  await rig.until(() => backend.receivedBytes > 0 || backend.destroyed);
  if (!backend.destroyed) await rig.switchBackend(at);
}

/** Whoever is left leaves: both ends say Close and FIN, and all times pass. */
async function leave(rig: Rig, client: MemoryTransport): Promise<void> {
  await rig.turns(20);
  if (!client.destroyed) client.send(closeFrame(1000, '', { mask: true }));
  for (const one of [client, ...rig.backends]) {
    if (!one.destroyed) one.fin();
    one.pump();
  }
  await rig.turns(20);
  rig.pass(60_000);
  await rig.turns(5);
  rig.pass(60_000);
}

async function expectNextToOpen(rig: Rig, url: string): Promise<void> {
  const at = rig.backends.length;
  const client = rig.connect(REQUEST, CLIENT);
  await answerOfBackend(rig, url, at);
  expect(await rig.answer(client)).toBe(SWITCHED);
  await leave(rig, client);
  expectNothingHeld(rig);
}

/** In the order in which a handshake comes by, with what the client is answered. */
const STEPS: readonly (readonly [step: string, fault: Fault, answer: string])[] = [
  ['the deadline of the head', methodOf(TimerWheel, 'schedule'), '500'],
  ['the head', methodOf(RequestHeadParser, 'feed'), '500'],
  ['the notes of the head', methodOf(HandshakeRecord, 'noteHead'), '500'],
  ['the verdict on the request', exportOf(upgradeRequests, 'judgeUpgradeRequest'), '500'],
  ['the route', methodOf(Router, 'match'), '500'],
  ['the limits', methodOf(Quotas, 'enter'), '500'],
  ['the credential', methodOf(ApiKeyMethod, 'judge'), '500'],
  ['the limits of its identity', methodOf(IdentityLimits, 'enter'), '500'],
  ['early bytes', methodOf(EarlyBytes, 'append'), '500'],
  ['its turn', methodOf(HandshakeSlots, 'ask'), '500'],
  ['the beginning of the opening', exportOf(admitteds, 'openFor'), '500'],
  ['the choice of a target', methodOf(Upstream, 'pick'), '500'],
  ['the slot of a target', methodOf(Target, 'acquire'), '500'],
  ['the count of the dial', methodOf(TargetMetrics, 'dial'), '500'],
  ['Host for the backend', methodOf(Target, 'hostField'), '500'],
  ['the request to the backend', exportOf(forward, 'buildBackendRequest'), '500'],
  ['the head of the answer', methodOf(ResponseHeadParser, 'feed'), '500'],
  ['the verdict on the 101', exportOf(upgradeResponses, 'judgeUpgradeResponse'), '500'],
  ['the facts of the session', exportOf(loggedPaths, 'shownPath'), '500'],
  ['the early bytes at the 101', methodOf(EarlyBytes, 'take'), '500'],
  ['the session', exportOf(admitteds, 'makeSession'), '500'],
  ['the session among the others', methodOf(Edge, 'promote'), SWITCHED],
  ['the count of the handshake', methodOf(RouteMetrics, 'handshake'), SWITCHED],
  ['the profile', methodOf(TrafficProfile, 'recordHandshake'), SWITCHED],
  ['the end of its turn', methodOf(Holdings, 'leaveTurn'), SWITCHED],
  ['the first frames', methodOf(Session, 'start'), SWITCHED],
  ['the end of the session', methodOf(TrafficProfile, 'recordSession'), SWITCHED],
  ['the line of its end', methodOf(Log, 'eventOf'), SWITCHED],
];

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(BACKENDS)('a fault at one step of a handshake with %s: all that was taken comes back', (url) => {
  test.each(STEPS)('%s', async (_step, fault, answer) => {
    const rig = rigOf(url);
    fault();
    const client = rig.connect(REQUEST, CLIENT);
    await answerOfBackend(rig, url, 0);
    await rig.until(() => client.receivedBytes > 0 || client.destroyed);
    const line = client.received.toString('latin1').split('\r\n')[0] ?? '';
    expect(line).toBe(answer === '500' ? 'HTTP/1.1 500 Internal Server Error' : answer);
    await leave(rig, client);
    expectNothingHeld(rig);
    const faults = rig.tap.lines.filter(({ event }) => event === 'handshake.fault' || event === 'session.fault');
    expect(faults.length).toBeGreaterThan(0);
    await expectNextToOpen(rig, url);
  });
});
