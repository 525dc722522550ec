// A session through a proxy with both of its ends in a test's hands, and the parts of the log line that says how it
// ended. It sends nothing by itself once the session is open.

import { expect } from 'vitest';
import type { ConfigInput, ProxyOptions } from '../../src/proxy.ts';
import { makeCertificates } from '../support/certs.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { isBackendTls, isClientTls, TLS_NAME } from '../support/tls-sides.ts';
import {
  type CloseStatus,
  closeFrame,
  closeOf,
  type FrameOptions,
  frame,
  Opcode,
  text,
  upgradeRequest,
} from '../support/wire.ts';

export type Side = 'client' | 'backend';
export const bothSides: readonly Side[] = ['client', 'backend'];

export interface Pair {
  readonly running: RunningProxy;
  readonly backend: RawBackend;
  readonly client: RawClient;
  readonly server: BackendConnection;
}

export interface PairOptions {
  readonly route?: Partial<ConfigInput['routes'][number]>;
  readonly config?: Partial<ConfigInput>;
  /** Fields of the client's request and of the backend's 101. */
  readonly request?: Readonly<Record<string, string>>;
  readonly answer?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
  /** Both sides speak TLS, whatever the layout. */
  readonly isSecure?: boolean;
  readonly clock?: NonNullable<ProxyOptions['clock']>;
}

/** A proxy with one route, and one session through it. */
export async function openPair(options: PairOptions = {}): Promise<Pair> {
  const deadline = options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs };
  const { good } = await makeCertificates();
  const [overClients, overBackends] = [isClientTls, isBackendTls].map((is) => options.isSecure ?? is);
  const backend = await RawBackend.listen({ ...deadline, ...(overBackends ? { tls: good } : {}) });
  const tls = overClients ? { tls: { certificates: [good] } } : {};
  const config: Partial<ConfigInput> = {
    listeners: [{ name: 'test', address: '127.0.0.1:0', ...tls }],
    ...(overBackends ? { upstreams: { secure: { targets: [{ url: backend.url }], tls: { verify: false } } } } : {}),
    ...options.config,
  };
  const running = await startProxy(oneRoute(overBackends ? 'secure' : backend.url, options.route, config), {
    ...deadline,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  return { running, backend, ...(await openSession(running, backend, options)) };
}

/** One more session through a running proxy. */
export async function openSession(
  running: RunningProxy,
  backend: RawBackend,
  options: Pick<PairOptions, 'request' | 'answer' | 'deadlineMs' | 'isSecure'> & { readonly path?: string } = {},
): Promise<Pick<Pair, 'client' | 'server'>> {
  const deadline = options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs };
  const tls = { rejectUnauthorized: false, servername: TLS_NAME };
  const client = await RawClient.connect(running.port, {
    ...deadline,
    ...((options.isSecure ?? isClientTls) ? { tls } : {}),
  });
  const opened = client.upgrade({ path: options.path ?? '/', headers: options.request ?? {} });
  const server = await backend.nextSession(options.answer ?? {});
  expect((await opened).status).toBe(101);
  return { client, server };
}

export interface Timed {
  readonly pair: Pair;
  readonly clock: FakeClock;
  readonly pass: (ms: number) => Promise<void>;
}

/** A session through a proxy whose clock moves by `pass` only; that comes back when the timers have seen it. */
export async function openTimed(route: NonNullable<PairOptions['route']>): Promise<Timed> {
  const clock = new FakeClock();
  const backend = await RawBackend.listen();
  const ticks = await RawBackend.listen();
  const running = await startProxy(
    {
      routes: [
        { name: 'test', upstream: backend.url, ...route },
        { name: 'tick', match: { path: '/tick' }, upstream: ticks.url, timeouts: { open: '1ms' } },
      ],
    },
    { clock },
  );
  const pass = async (ms: number) => {
    // A handshake that is due at once, as soon as time goes on.
    const tick = await RawClient.connect(running.port);
    tick.send(upgradeRequest({ path: '/tick' }));
    await ticks.nextConnection();
    clock.advance(ms);
    await tick.ended;
    tick.destroy();
  };
  return { pair: { running, backend, ...(await openSession(running, backend)) }, clock, pass };
}

export function endsOf(pair: Pick<Pair, 'client' | 'server'>, culprit: Side): { culprit: RawPeer; other: RawPeer } {
  const { client, server } = pair;
  return culprit === 'client' ? { culprit: client, other: server } : { culprit: server, other: client };
}

/** How frames of that side must be: masked from a client, not from a backend (RFC 6455 5.1). */
export function as(side: Side): FrameOptions {
  return { mask: side === 'client' };
}

export function otherOf(side: Side): Side {
  return side === 'client' ? 'backend' : 'client';
}

/** What one side sent, as `session.end` counts it. */
export function traffic(messages: number, bytes: number, largest = bytes, pauses = 0): Record<string, number> {
  return { messages, bytes, largest_message: largest, pauses };
}

export const noTraffic = traffic(0, 0);

/** The part of `session.end` that tells why and how the session ended. */
export interface End {
  by: string;
  reason: string;
  limit?: string;
  close_code_client: number | null;
  close_code_backend: number | null;
  clean: boolean;
  mid_frame: boolean;
  from_client: Record<string, number>;
  from_backend: Record<string, number>;
}

/** That part of the only `session.end`, or of the one that `fits`. */
export async function endLine(
  running: RunningProxy,
  fits?: (line: Readonly<Record<string, unknown>>) => boolean,
): Promise<Record<string, unknown>> {
  const line = await running.waitForLog('session.end', fits);
  if (fits === undefined) expect(running.logsOf('session.end')).toHaveLength(1);
  const names = ['by', 'reason', 'limit', 'close_code_client', 'close_code_backend', 'clean', 'mid_frame'];
  names.push('from_client', 'from_backend');
  return Object.fromEntries(names.filter((name) => name in line).map((name) => [name, line[name]]));
}

export interface CulpritCase extends PairOptions {
  readonly culprit: Side;
  /** What the culprit sends; nothing of `bad` may reach the other side. */
  readonly good?: Buffer;
  readonly bad: Buffer;
  readonly told: CloseStatus;
  readonly otherTold: CloseStatus;
  readonly reason: string;
  readonly limit?: string;
  /** What the culprit sent, less what broke the rule. */
  readonly counted?: Record<string, number>;
}

/**
 * One side breaks a rule: the other gets its Close at once, and what it still says, its answer included, comes before
 * the culprit's own Close and FIN. What the culprit sends after that is read and dropped.
 */
export async function expectCulprit(spec: CulpritCase): Promise<Pair> {
  const pair = await openPair(spec);
  const { running } = pair;
  const { culprit, other } = endsOf(pair, spec.culprit);
  const good = spec.good ?? Buffer.alloc(0);
  const answering = as(otherOf(spec.culprit));
  culprit.send(Buffer.concat([good, spec.bad]));
  expect((await other.readBytes(good.length)).toString('hex')).toBe(good.toString('hex'));
  const told = await other.nextFrame();
  expect(closeOf(told)).toEqual(spec.otherTold);
  // A frame of ours towards a backend is masked as any client's; towards a client it is not (RFC 6455 5.1).
  expect(told.masked).toBe(spec.culprit === 'client');
  other.send(text('last words', answering), closeFrame(spec.otherTold.code, '', answering));
  const last = await culprit.nextFrame();
  expect([last.opcode, last.payload.toString()]).toEqual([Opcode.Text, 'last words']);
  expect(closeOf(await culprit.nextFrame())).toEqual(spec.told);
  await culprit.ended;
  culprit.send(text('too late', as(spec.culprit)));
  culprit.end();
  await culprit.closed;
  // RFC 6455 7.1.1: the server closes first, so the proxy does towards a client and waits for a backend.
  if (spec.culprit === 'backend') await other.ended;
  else expect(other.finSeen).toBe(false);
  other.end();
  await other.closed;
  expect([other.unread.length, culprit.unread.length]).toEqual([0, 0]);
  const isClient = spec.culprit === 'client';
  const counted = spec.counted ?? noTraffic;
  const lastWords = traffic(1, 10);
  const end: End = {
    by: spec.culprit,
    reason: spec.reason,
    ...(spec.limit === undefined ? {} : { limit: spec.limit }),
    close_code_client: (isClient ? spec.told : spec.otherTold).code,
    close_code_backend: (isClient ? spec.otherTold : spec.told).code,
    clean: false, // nothing of the culprit is looked at any more, a Close neither
    mid_frame: false,
    from_client: isClient ? counted : lastWords,
    from_backend: isClient ? lastWords : counted,
  };
  expect(await endLine(running)).toEqual(end);
  return pair;
}

/** A broken rule of the protocol, with the texts that each side is told. */
export async function expectProtocolError(
  culprit: Side,
  bad: Buffer,
  words: string,
  more: Partial<CulpritCase> = {},
): Promise<Pair> {
  const isClient = culprit === 'client';
  return expectCulprit({
    culprit,
    bad,
    told: { code: 1002, reason: words },
    otherTold: isClient
      ? { code: 1001, reason: 'client protocol error' }
      : { code: 1011, reason: 'upstream protocol error' },
    reason: isClient ? 'client_protocol_error' : 'backend_protocol_error',
    ...more,
  });
}

/** A limit that was crossed: its config key is told to both. */
export async function expectLimit(
  culprit: Side,
  bad: Buffer,
  rule: { code: number; kind: string; limit: string },
  more: Partial<CulpritCase> = {},
): Promise<Pair> {
  const { code, kind, limit } = rule;
  return expectCulprit({
    culprit,
    bad,
    told: { code, reason: limit },
    otherTold: { code: culprit === 'client' ? 1001 : 1011, reason: limit },
    reason: `${culprit}_${kind}`,
    limit,
    ...more,
  });
}

/** Close both ways, as two well-behaved peers do when the client begins, and wait for the end of both connections. */
export async function closeCleanly(pair: Pick<Pair, 'client' | 'server'>): Promise<void> {
  const { client, server } = pair;
  client.send(closeFrame(1000, '', { mask: true }));
  await server.nextClose();
  server.send(closeFrame(1000));
  await client.nextClose();
  await client.ended;
  client.end();
  server.end();
  await Promise.all([client.closed, server.closed]);
}

/** A frame of `side` with the header alone on the wire: the payload it declares never comes. */
export function headerOnly(side: Side, opcode: number, length: number | bigint, more: FrameOptions = {}): Buffer {
  return frame({ opcode, length, ...as(side), ...more });
}
