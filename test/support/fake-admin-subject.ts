// A subject of an admin listener that remembers what it was asked and answers with fixed views.

import type { RestartResult } from '../../src/admin/generations.ts';
import type {
  AdminSubject,
  AskedClose,
  Extended,
  FrameView,
  Readiness,
  ReloadResult,
  RevokeAsk,
  RevokeResult,
  SessionDetail,
  SessionPage,
  SessionView,
  StatusView,
  UpstreamView,
  WhyView,
} from '../../src/admin/subject.ts';
import type { Pulled } from '../../src/limits/pulled.ts';
import { advise } from '../../src/observe/advice.ts';

export const sampleSession: SessionView = {
  id: 'cafe-1',
  state: 'paused',
  route: 'chat',
  upstream: 'chat',
  target: 'a',
  listener: 'public',
  client: '192.0.2.7',
  peer: null,
  path: '/chat/a?token=***',
  request_id: 'r1',
  subprotocol: null,
  auth: 'users',
  identity: 'acme',
  expires_at: '2027-01-31T00:00:00.000Z',
  expires_in_ms: 3_600_000,
  age_ms: 90_000,
  ping_rtt_ms: 12,
  reason: null,
  from_client: {
    messages: 12,
    bytes: 3400,
    largest_message: 900,
    paused: false,
    pauses: 0,
    buffered: 0,
    silent_ms: 800,
  },
  from_backend: {
    messages: 34567,
    bytes: 9_000_000,
    largest_message: 64_000,
    paused: true,
    pauses: 4,
    buffered: 262_144,
    silent_ms: 20,
  },
};

export const sampleRecord: readonly FrameView[] = [
  { at_ms: 1_200, from: 'client', opcode: 'text', fin: true, bytes: 512, code: null },
  { at_ms: 88_000, from: 'backend', opcode: 'binary', fin: false, bytes: 64_000, code: null },
  { at_ms: 89_990, from: 'client', opcode: 'close', fin: true, bytes: 2, code: 1001 },
];

const { id: session, state: _, reason: __, ...facts } = sampleSession;

export const sampleWhy: WhyView = {
  session,
  state: 'ended',
  sentence: 'The client sent a message of 2 MiB, over limits.from_client.max_message_size.',
  cause: 'client_message_too_big',
  code: 1009,
  code_backend: 1001,
  reason: 'max_message_size',
  by: 'client',
  limit: 'limits.from_client.max_message_size',
  clean: false,
  mid_frame: false,
  facts,
  times: {
    opened_at: '2027-01-30T23:00:00.000Z',
    ending_at: '2027-01-30T23:01:30.000Z',
    ended_at: '2027-01-30T23:01:30.240Z',
    lived_ms: 90_000,
    closing_ms: 240,
    connect_ms: 1,
    upgrade_ms: 2,
  },
  near: [
    { key: 'limits.from_client.max_message_size', unit: 'bytes', limit: 1_048_576, used: 2_097_152, share: 2 },
    { key: 'limits.max_buffered', unit: 'bytes', limit: 262_144, used: 262_144, share: 1 },
  ],
  record: sampleRecord,
  change: ['Raise limits.from_client.max_message_size for route chat: "framegate advise" says what it would take.'],
};

export const sampleStatus: StatusView = {
  version: '1.2.3',
  node: 'v24.0.0',
  pid: 42,
  state: 'ready',
  before: [],
  uptime_ms: 7_200_000,
  config: { name: 'config.yaml', loaded_at: '2025-01-01T00:00:00.000Z', last_reload: null },
  sessions: { open: 1234, limit: 10_000, total: 56_789 },
  handshakes_open: 3,
  http_requests_open: 2,
  refusals: { no_route: 5, too_many_handshakes: 2 },
  buffered_bytes: 262_144,
  memory_bytes: 104_857_600,
  listeners: [{ name: 'public', address: '127.0.0.1:8080', connections: 1240, certificates: [], waiting: [] }],
  routes: [
    {
      name: 'chat',
      upstream: 'chat',
      http: null,
      state: 'open',
      sessions: 1234,
      sessions_limit: null,
      sessions_total: 56_789,
      handshakes_refused: 7,
      http_requests: 0,
      paused: 1,
      from_client: { messages: 1_204_311, bytes: 90_000_000 },
      from_backend: { messages: 2_000_000, bytes: 900_000_000 },
    },
  ],
};

export const sampleUpstreams: readonly UpstreamView[] = [
  {
    name: 'chat',
    balance: 'least_sessions',
    handshakes: 3,
    queued: 0,
    discovery: null,
    targets: [
      {
        name: 'a',
        url: 'ws://127.0.0.1:9001',
        source: 'config',
        state: 'draining',
        why: 'admin',
        state_ms: 150_000,
        failing_ms: null,
        weight: 1,
        share: 0,
        backup: false,
        sessions: 1234,
        handshakes: 2,
        sessions_limit: 5000,
        sessions_total: 56_789,
        dials_failed: 2,
        connect: { count: 56_789, p50_ms: 0.61, p99_ms: 4.2 },
        upgrade: { count: 56_780, p50_ms: 1.4, p99_ms: 31 },
        check: { result: 'ok', cause: '', age_ms: 4_000, took_ms: 3 },
        failures: 1,
        ejections: 3,
      },
    ],
  },
];

export class FakeAdminSubject implements AdminSubject {
  readonly calls: (readonly [name: string, ...given: unknown[]])[] = [];
  state: Readiness = 'ready';
  revokeResult: RevokeResult = { ended: 3, until: '2026-01-02T00:00:00.000Z', durable: true };
  extended: Extended = 'ok';
  restartResult: RestartResult = { ok: true, pid: 4711, ms: 800 };
  reloadResult: ReloadResult = { ok: true, changed: ['limits.max_sessions'] };
  metricsText = 'framegate_ready 1\n';
  configText = 'log: {}\n';
  fault: Error | null = null;

  private note(name: string, ...given: unknown[]): void {
    if (this.fault !== null) throw this.fault;
    this.calls.push([name, ...given]);
  }

  async status(): Promise<StatusView> {
    this.note('status');
    return sampleStatus;
  }

  async upstreams(): Promise<Pulled<readonly UpstreamView[]>> {
    return sampleUpstreams;
  }

  async sessions(query: unknown): Promise<SessionPage> {
    this.note('sessions', query);
    return { sessions: [sampleSession], next: 'cafe-1', more: 11 };
  }

  async session(id: string): Promise<SessionDetail | null> {
    return id === sampleSession.id ? { ...sampleSession, record: sampleRecord } : null;
  }

  async why(id: string): Promise<WhyView | null> {
    return id === sampleWhy.session ? sampleWhy : null;
  }

  async applicationWebsockets() {
    const { id, client, path } = sampleSession;
    return [{ sessionId: id, clientAddress: client, gatewayPath: path, serviceUrl: 'ws://b', serviceSessionId: id }];
  }

  async config(): Promise<Iterable<string>> {
    return [this.configText];
  }

  async metrics(): Promise<Iterable<string>> {
    return this.metricsText.match(/[\s\S]{1,1000}/g) ?? [];
  }

  async advice() {
    return advise([], 1000);
  }

  async readiness(route?: string): Promise<Readiness | null> {
    return route === undefined || route === 'chat' ? this.state : null;
  }

  async closeSession(id: string, close: AskedClose): Promise<boolean> {
    this.note('closeSession', id, close);
    return id === sampleSession.id;
  }

  async closeSessions(filter: unknown, close: AskedClose): Promise<number> {
    this.note('closeSessions', filter, close);
    return 3;
  }

  async revoke(ask: RevokeAsk): Promise<RevokeResult> {
    this.note('revoke', ask);
    return this.revokeResult;
  }

  async extendSession(id: string, until: number): Promise<Extended> {
    this.note('extendSession', id, until);
    return id === sampleSession.id ? this.extended : 'no_session';
  }

  async drainRoute(route: string, draining: boolean): Promise<boolean> {
    this.note('drainRoute', route, draining);
    return route === '/chat/*';
  }

  async drainTarget(upstream: string, target: string, draining: boolean): Promise<boolean> {
    this.note('drainTarget', upstream, target, draining);
    return upstream === 'chat' && target === 'a';
  }

  async drain(): Promise<void> {
    this.note('drain');
  }

  async restart(): Promise<RestartResult> {
    this.note('restart');
    return this.restartResult;
  }

  async reload(force: boolean): Promise<ReloadResult> {
    this.note('reload', force);
    return this.reloadResult;
  }
}
