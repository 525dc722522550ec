import { describe, expect, test } from 'vitest';
import { Edge } from '../../src/edge/edge.ts';
import { END_CAUSES, type EndCause, MAPPABLE_CAUSES } from '../../src/protocol/end-causes.ts';
import type { Session } from '../../src/session/session.ts';
import { headerOnly, openPair, type Pair, type Side } from '../hostile/pair.ts';
import { startPoisoned } from '../hostile/poisoned.ts';
import { FakeClock } from '../support/fake-clock.ts';
import type { RunningProxy } from '../support/harness.ts';
import type { LogLine } from '../support/log-tap.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { binary, type CloseStatus, closeFrame, continuation, ping, pong, text } from '../support/wire.ts';
import { workerCount } from '../support/worker-fleet.ts';
import { askAdmin } from './operating.ts';

type Ends = Pick<Pair, 'client' | 'server'>;

interface Count {
  readonly messages?: number;
  readonly bytes?: number;
  readonly largest?: number;
  /** The number is the kernel's affair. */
  readonly paused?: boolean;
}

/** How an end is brought about, and what everybody is told then. */
interface Scenario {
  readonly by: Side | 'proxy';
  readonly limit?: string;
  /** The Close that each side gets; null: none. */
  readonly toClient: CloseStatus | null;
  readonly toBackend: CloseStatus | null;
  /** Who is told first; the client unless said otherwise. */
  readonly first?: Side;
  readonly clean?: boolean;
  readonly midFrame?: boolean;
  /** On top of the small talk of every session here. */
  readonly fromClient?: Count;
  readonly fromBackend?: Count;
  readonly limits?: Readonly<Record<string, string | number>>;
  readonly timeouts?: Readonly<Record<string, string>>;
  /** By a call into the proxy. */
  readonly isInside?: boolean;
  cause(ends: Ends, running: RunningProxy | null): void | Promise<void>;
}

const masked = { mask: true };
/** More than all buffers between two peers hold. */
const big = 32 * 2 ** 20;
const note = (code: number, reason: string): CloseStatus => ({ code, reason });
const clientFault = note(1001, 'client protocol error');
const backendFault = note(1011, 'upstream protocol error');

function fromClientBytes(bytes: Buffer): Scenario['cause'] {
  return ({ client }) => client.send(bytes);
}

function fromBackendBytes(bytes: Buffer): Scenario['cause'] {
  return ({ server }) => server.send(bytes);
}

/** Sessions of workers cannot be laid hands on. */
function isBroughtAbout(cause: EndCause): boolean {
  return workerCount === 1 || scenarios[cause].isInside !== true;
}

/** The one session of that proxy: ends that only its operator brings about are asked of it. */
function onlySession(running: RunningProxy | null): Session {
  const edge: unknown = running === null ? null : Reflect.get(running.proxy, 'edge');
  if (!(edge instanceof Edge)) throw new Error('a proxy keeps its sessions elsewhere now');
  const [record, ...others] = edge.sessions;
  if (record === undefined || others.length > 0) throw new Error('not one session');
  return record.session;
}

/** Ends whose own tests, of reloads, drains and the admin API, look at what leads to them. */
function byControlPlane(cause: EndCause, code: number, reason: string): Scenario {
  return {
    by: 'proxy',
    toClient: note(code, reason),
    toBackend: note(1001, reason),
    clean: true,
    isInside: true,
    cause: (_ends, running) => onlySession(running).end(cause),
  };
}

const scenarios: Record<EndCause, Scenario> = {
  client_close: {
    by: 'client',
    toClient: note(4321, 'bye'),
    toBackend: note(4321, 'bye'),
    first: 'backend',
    clean: true,
    cause: fromClientBytes(closeFrame(4321, 'bye', masked)),
  },
  backend_close: {
    by: 'backend',
    toClient: note(1000, ''),
    toBackend: note(1000, ''),
    clean: true,
    cause: fromBackendBytes(closeFrame(1000)),
  },
  client_lost: {
    by: 'client',
    toClient: null,
    toBackend: note(1001, 'client lost'),
    cause: ({ client }) => client.reset(),
  },
  backend_lost: {
    by: 'backend',
    toClient: note(1012, 'backend lost'),
    toBackend: null,
    cause: ({ server }) => server.end(),
  },
  client_protocol_error: {
    by: 'client',
    toClient: note(1002, 'frame not masked'),
    toBackend: clientFault,
    first: 'backend',
    cause: fromClientBytes(text('no mask')),
  },
  backend_protocol_error: {
    by: 'backend',
    toClient: backendFault,
    toBackend: note(1002, 'reserved bit set'),
    cause: fromBackendBytes(text('rsv', { rsv: 1 })),
  },
  client_message_too_big: {
    by: 'client',
    limit: 'max_message_size',
    toClient: note(1009, 'max_message_size'),
    toBackend: note(1001, 'max_message_size'),
    first: 'backend',
    limits: { max_message_size: '1KiB' },
    cause: fromClientBytes(headerOnly('client', 2, 1025)),
  },
  backend_message_too_big: {
    by: 'backend',
    limit: 'max_frame_size',
    toClient: note(1011, 'max_frame_size'),
    toBackend: note(1009, 'max_frame_size'),
    limits: { max_message_size: '1KiB', max_frame_size: '512B' },
    cause: fromBackendBytes(headerOnly('backend', 2, 513)),
  },
  client_too_many_fragments: {
    by: 'client',
    limit: 'max_fragments',
    toClient: note(1008, 'max_fragments'),
    toBackend: note(1001, 'max_fragments'),
    first: 'backend',
    limits: { max_fragments: 2 },
    fromClient: { messages: 1, bytes: 2 },
    cause: fromClientBytes(
      Buffer.concat([
        text('a', { ...masked, fin: false }),
        continuation('b', { ...masked, fin: false }),
        continuation('c', masked),
      ]),
    ),
  },
  backend_too_many_fragments: {
    by: 'backend',
    limit: 'max_fragments',
    toClient: note(1011, 'max_fragments'),
    toBackend: note(1008, 'max_fragments'),
    limits: { max_fragments: 2 },
    fromBackend: { messages: 1, bytes: 2 },
    cause: fromBackendBytes(
      Buffer.concat([text('a', { fin: false }), continuation('b', { fin: false }), continuation('c')]),
    ),
  },
  client_invalid_utf8: {
    by: 'client',
    toClient: note(1007, 'close reason not UTF-8'),
    toBackend: clientFault,
    first: 'backend',
    cause: fromClientBytes(closeFrame(1000, Buffer.from('c3', 'hex'), masked)),
  },
  backend_invalid_utf8: {
    by: 'backend',
    toClient: backendFault,
    toBackend: note(1007, 'close reason not UTF-8'),
    cause: fromBackendBytes(closeFrame(1000, Buffer.from('c3', 'hex'))),
  },
  client_message_stall: {
    by: 'client',
    limit: 'message_stall',
    toClient: note(1008, 'message_stall'),
    toBackend: note(1001, 'message_stall'),
    first: 'backend',
    clean: true,
    timeouts: { message_stall: '100ms' },
    fromClient: { messages: 1, bytes: 6, largest: 6 },
    cause: fromClientBytes(text('begun.', { ...masked, fin: false })),
  },
  backend_message_stall: {
    by: 'backend',
    limit: 'message_stall',
    toClient: note(1011, 'message_stall'),
    toBackend: note(1008, 'message_stall'),
    clean: true,
    timeouts: { message_stall: '100ms' },
    fromBackend: { messages: 1, bytes: 6 },
    cause: fromBackendBytes(text('begun.', { fin: false })),
  },
  client_stalled: {
    by: 'client',
    limit: 'write_stall',
    toClient: null,
    toBackend: note(1001, 'write_stall'),
    first: 'backend',
    midFrame: true,
    limits: { max_message_size: '64MiB' },
    timeouts: { write_stall: '200ms' },
    fromBackend: { messages: 1, bytes: big, largest: big, paused: true },
    cause: ({ client, server }) => {
      client.pause();
      server.send(binary(Buffer.alloc(big)));
    },
  },
  backend_stalled: {
    by: 'backend',
    limit: 'write_stall',
    toClient: note(1012, 'write_stall'),
    toBackend: null,
    midFrame: true,
    limits: { max_message_size: '64MiB' },
    timeouts: { write_stall: '200ms' },
    fromClient: { messages: 1, bytes: big, largest: big, paused: true },
    cause: ({ client, server }) => {
      server.pause();
      client.send(binary(Buffer.alloc(big), { mask: Buffer.alloc(4) }));
    },
  },
  client_rate: {
    by: 'client',
    limit: 'messages_per_second',
    toClient: note(1008, 'messages_per_second'),
    toBackend: note(1001, 'messages_per_second'),
    first: 'backend',
    clean: true,
    limits: { messages_per_second: 0.01, message_burst: 2, on_rate_exceeded: 'close' },
    fromClient: { messages: 2, bytes: 2 },
    cause: fromClientBytes(Buffer.concat([text('a', masked), text('b', masked)])),
  },
  backend_rate: {
    by: 'backend',
    limit: 'messages_per_second',
    toClient: note(1011, 'messages_per_second'),
    toBackend: note(1008, 'messages_per_second'),
    clean: true,
    limits: { messages_per_second: 0.01, message_burst: 2, on_rate_exceeded: 'close' },
    fromBackend: { messages: 2, bytes: 2 },
    cause: fromBackendBytes(Buffer.concat([text('a'), text('b')])),
  },
  client_slow: {
    by: 'client',
    limit: 'slow_reader',
    toClient: null,
    toBackend: note(1001, 'slow_reader'),
    first: 'backend',
    midFrame: true,
    limits: { max_message_size: '64MiB' },
    timeouts: { slow_reader: '200ms' },
    fromBackend: { messages: 1, bytes: big, largest: big, paused: true },
    cause: ({ client, server }) => {
      client.pause();
      server.send(binary(Buffer.alloc(big)));
    },
  },
  backend_slow: {
    by: 'backend',
    limit: 'slow_reader',
    toClient: note(1012, 'slow_reader'),
    toBackend: null,
    midFrame: true,
    limits: { max_message_size: '64MiB' },
    timeouts: { slow_reader: '200ms' },
    fromClient: { messages: 1, bytes: big, largest: big, paused: true },
    cause: ({ client, server }) => {
      server.pause();
      client.send(binary(Buffer.alloc(big), { mask: Buffer.alloc(4) }));
    },
  },
  client_pong_timeout: {
    by: 'client',
    limit: 'pong',
    toClient: null,
    toBackend: note(1001, 'pong'),
    first: 'backend',
    timeouts: { client_ping_interval: '300ms', pong: '200ms' },
    cause: () => {},
  },
  backend_pong_timeout: {
    by: 'backend',
    limit: 'pong',
    toClient: note(1012, 'pong'),
    toBackend: null,
    timeouts: { backend_ping_interval: '300ms', pong: '200ms' },
    cause: () => {},
  },
  overload: {
    isInside: true,
    by: 'proxy',
    limit: 'max_buffered_total',
    toClient: note(1013, 'max_buffered_total'),
    toBackend: note(1001, 'max_buffered_total'),
    clean: true,
    cause: (_ends, running) => onlySession(running).shed('max_buffered_total'),
  },
  lifetime: {
    by: 'proxy',
    limit: 'lifetime',
    toClient: note(1012, 'session lifetime'),
    toBackend: note(1001, 'session lifetime'),
    clean: true,
    timeouts: { lifetime: '500ms' },
    cause: () => {},
  },
  route_removed: byControlPlane('route_removed', 1012, 'route removed'),
  target_removed: byControlPlane('target_removed', 1012, 'target removed'),
  target_drain: byControlPlane('target_drain', 1012, 'target drain'),
  rebalance: byControlPlane('rebalance', 1012, 'rebalance'),
  credential_expired: byControlPlane('credential_expired', 3000, 'credential expired'),
  credential_revoked: byControlPlane('credential_revoked', 3003, 'credential revoked'),
  admin: byControlPlane('admin', 1008, 'closed by the operator'),
  idle: {
    by: 'proxy',
    limit: 'idle',
    toClient: note(1001, 'idle timeout'),
    toBackend: note(1001, 'idle timeout'),
    clean: true,
    timeouts: { idle: '100ms' },
    cause: () => {},
  },
  drain: {
    by: 'proxy',
    toClient: note(1012, 'server restart'),
    toBackend: note(1001, 'server restart'),
    clean: true,
    cause: (_ends, running) => {
      void running?.proxy.drain();
    },
  },
  internal_error: {
    by: 'proxy',
    toClient: note(1011, 'internal error'),
    toBackend: note(1011, 'internal error'),
    fromBackend: { messages: 1, bytes: 4 },
    cause: fromBackendBytes(text('boom')),
  },
  forced: {
    by: 'proxy',
    toClient: null,
    toBackend: null,
    cause: async (_ends, running) => running?.stop(),
  },
};

/** The first code that a config may choose for any cause, so that no default equals it. */
const CHOSEN_CODE = 4400;

interface Opened extends Ends {
  readonly logs: { waitForLog(event: string): Promise<LogLine>; logsOf(event: string): LogLine[] };
  readonly upstream: string;
  readonly running: RunningProxy | null;
  /** Makes the next write to the client throw, where that is how the session is to end. */
  poison(): void;
}

async function open(cause: EndCause, closeCodes: Readonly<Record<string, number>>): Promise<Opened> {
  const { limits = {}, timeouts = {} } = scenarios[cause];
  if (cause === 'internal_error') return openPoisoned(closeCodes);
  const pair = await openPair({
    route: {
      limits: { from_client: limits, from_backend: limits },
      timeouts,
      close_codes: closeCodes,
    },
    config: { admin: { address: '127.0.0.1:0' } },
  });
  return { ...pair, logs: pair.running, upstream: pair.backend.url, poison: () => {} };
}

/** A session whose next write to the client throws: the only way to a fault of our own from outside. */
async function openPoisoned(closeCodes: Readonly<Record<string, number>>): Promise<Opened> {
  const backend = await RawBackend.listen();
  const edge = await startPoisoned(backend.url, { close_codes: closeCodes });
  const client = await RawClient.connect(edge.port);
  const opened = client.upgrade();
  const server = await backend.nextSession();
  expect((await opened).status).toBe(101);
  const poison = () => {
    for (const transport of edge.clients) transport.poison = 1;
  };
  return { client, server, logs: edge, upstream: backend.url, running: null, poison };
}

/** A message and a control frame each way, so that no count is zero by chance. */
async function smallTalk({ client, server }: Ends): Promise<void> {
  const up = Buffer.concat([text('hello', masked), ping('p', masked)]);
  const down = Buffer.concat([binary(Buffer.alloc(200), { fin: false }), pong('p'), continuation(Buffer.alloc(100))]);
  client.send(up);
  server.send(down);
  expect(await server.readBytes(up.length)).toEqual(up);
  expect(await client.readBytes(down.length)).toEqual(down);
}

/** What small talk and the scenario make of one side's traffic. */
function countOf(base: { bytes: number }, more: Count = {}): Record<string, unknown> {
  return {
    messages: 1 + (more.messages ?? 0),
    bytes: base.bytes + (more.bytes ?? 0),
    largest_message: Math.max(base.bytes, more.largest ?? 0),
    pauses: more.paused === true ? expect.any(Number) : 0,
  };
}

async function takeClose(peer: RawPeer, told: CloseStatus | null, isClient: boolean): Promise<void> {
  if (told === null) {
    peer.keep(false);
    peer.resume();
    return;
  }
  expect(await peer.nextClose()).toEqual(told);
  peer.send(closeFrame(told.code, told.reason, { mask: isClient }));
  if (!isClient) peer.end();
}

/** Runs a scenario to its end and compares every field of its `session.end`. */
async function expectEnd(cause: EndCause, chosenCode: number | null): Promise<void> {
  const row = scenarios[cause];
  const opened = await open(cause, chosenCode === null ? {} : { [cause]: chosenCode });
  const { client, server, logs } = opened;
  await smallTalk(opened);
  opened.poison();
  await row.cause(opened, opened.running);
  const toClient = row.toClient === null || chosenCode === null ? row.toClient : { ...row.toClient, code: chosenCode };
  if (row.first === 'backend') await takeClose(server, row.toBackend, false);
  await takeClose(client, toClient, true);
  if (row.first !== 'backend') await takeClose(server, row.toBackend, false);
  await Promise.all([client.closed, server.closed]);
  const line = await logs.waitForLog('session.end');
  expect(line).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    level: 'info',
    event: 'session.end',
    session: expect.stringMatching(/^[0-9a-f]{16}-1$/),
    listener: 'test',
    route: 'test',
    upstream: expect.any(String),
    target: opened.upstream.replace(/^wss?:\/\//, ''),
    client: '127.0.0.1',
    path: '/',
    request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    connect_ms: expect.any(Number),
    upgrade_ms: expect.any(Number),
    duration_ms: expect.any(Number),
    by: row.by,
    reason: cause,
    ...(row.limit === undefined ? {} : { limit: row.limit }),
    close_code_client: toClient?.code ?? null,
    close_code_backend: row.toBackend?.code ?? null,
    clean: row.clean ?? false,
    mid_frame: row.midFrame ?? false,
    from_client: countOf({ bytes: 5 }, row.fromClient),
    from_backend: countOf({ bytes: 300 }, row.fromBackend),
  });
  expect(logs.logsOf('session.end')).toHaveLength(1);
  // `forced` stops the admin listener, too.
  if (opened.running !== null && cause !== 'forced') await expectWhy(opened.running, cause, line);
}

/** The same end as `why` tells it. */
async function expectWhy(running: RunningProxy, cause: EndCause, line: LogLine): Promise<void> {
  const { status, json } = await askAdmin(running, `GET /api/v1/sessions/${String(line.session)}/why`);
  expect(status).toBe(200);
  expect(json).toMatchObject({
    state: 'ended',
    cause,
    by: line.by,
    limit: line.limit === undefined ? null : expect.stringMatching(new RegExp(`\\.${String(line.limit)}$`)),
    code: line.close_code_client,
    code_backend: line.close_code_backend,
    clean: line.clean,
    mid_frame: line.mid_frame,
    facts: { from_client: line.from_client, from_backend: line.from_backend },
    sentence: expect.stringMatching(/^[A-Zf].{20,300}\.$/),
  });
}

describe('session.end, every field, for each cause', () => {
  const causes = (Object.keys(END_CAUSES) as EndCause[]).filter(isBroughtAbout);

  test.each(causes)('%s', async (cause) => {
    await expectEnd(cause, null);
  });

  test.each(MAPPABLE_CAUSES.filter(isBroughtAbout))(
    '%s with a code of the config: the client gets it, the backend does not',
    async (cause) => {
      await expectEnd(cause, CHOSEN_CODE);
    },
  );
});

describe('an end that takes its time', () => {
  test('a drain that nobody answers is cut off after its time, and says so', async () => {
    const clock = new FakeClock();
    const pair = await openPair({ route: { timeouts: { close: '60s' } }, clock });
    const { client, server, running } = pair;
    const drained = running.proxy.drain('SIGTERM');
    expect(await client.nextClose()).toEqual(note(1012, 'server restart'));
    clock.advance(25_000);
    expect(await drained).toEqual({ closed: 0, cut: 1 });
    await Promise.all([client.closed, server.closed]);
    expect(server.unread).toHaveLength(0);
    expect(await running.waitForLog('session.end')).toMatchObject({
      by: 'proxy',
      reason: 'forced',
      close_code_client: 1012,
      close_code_backend: null,
      clean: false,
      duration_ms: 25_000,
    });
    expect(await running.waitForLog('drain.end')).toMatchObject({ level: 'warn', closed: 0, cut: 1, ms: 25_000 });
  });

  test('the first cause stays the reason, whatever comes while the session ends', async () => {
    const { client, server, running } = await openPair();
    client.send(text('no mask'));
    expect(await server.nextClose()).toEqual(clientFault);
    const drained = running.proxy.drain();
    server.send(text('rsv', { rsv: 1 }));
    server.reset();
    await client.nextClose();
    client.end();
    expect(await drained).toEqual({ closed: 1, cut: 0 });
    expect(await running.waitForLog('session.end')).toMatchObject({ by: 'client', reason: 'client_protocol_error' });
  });
});
