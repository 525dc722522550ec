// A proxy to look at that never changes but when it is looked at: every figure grows by the same from one look to the
// next, and the third look has to wait, so that what the second one drew stays where it is.

import type { SessionDetail, SessionPage, SessionQuery, StatusView, UpstreamView } from '../../src/admin/subject.ts';
import { advise } from '../../src/observe/advice.ts';
import { FakeAdminSubject, sampleSession, sampleStatus, sampleUpstreams } from '../support/fake-admin-subject.ts';
import { adviceInput, chatProfile } from '../support/sample-advice.ts';

const ROUTES = [
  'chat',
  'ticks',
  'upload',
  '/rooms/{room}/members/{member}',
  ...Array.from('abcdefgh', (x) => `app-${x}`),
];
const SESSIONS = 40;
const SECOND = 1_000;
/** The look that waits. */
const LAST = 3;

/** What somebody may have put into a path to draw on the screen of whoever looks. */
const HOSTILE = '/chat/\u001b[2J\u001b]0;mine\u0007\u202e?room=%1b[31m&name=\u{1f600}';

export class SampleSubject extends FakeAdminSubject {
  /** By what was asked for. */
  private looks = new Map<string, number>();
  private release = (): void => {};
  private tell = (): void => {};
  private waiting = Promise.resolve();
  /** Resolves when the second look has been drawn. */
  drawn = Promise.resolve();

  /** Before each command. */
  begin(): void {
    this.release();
    this.looks = new Map();
    this.drawn = new Promise((resolve) => {
      this.tell = resolve;
    });
    this.waiting = new Promise((resolve) => {
      this.release = resolve;
    });
  }

  private async look(kind: string): Promise<number> {
    const look = (this.looks.get(kind) ?? 0) + 1;
    this.looks.set(kind, look);
    if (look < LAST) return look;
    this.tell();
    await this.waiting;
    return look;
  }

  override async status(): Promise<StatusView> {
    return statusAt(await this.look('status'));
  }

  override async upstreams(): Promise<readonly UpstreamView[]> {
    await this.look('upstreams');
    return upstreams;
  }

  override async sessions({ limit }: SessionQuery): Promise<SessionPage> {
    const look = await this.look('sessions');
    const count = Math.min(limit, SESSIONS);
    const sessions = Array.from({ length: count }, (_, index) => sessionAt(index, look));
    return { sessions, next: '-4711/cafe-14', more: 9_000 };
  }

  override async session(): Promise<SessionDetail | null> {
    await this.look('session');
    return { ...sessionAt(3, 1), record: null };
  }

  override async advice() {
    return advise([adviceInput(chatProfile())], 3_600_000);
  }

  override async drainRoute(): Promise<boolean> {
    return true;
  }
}

function statusAt(look: number): StatusView {
  const [route] = sampleStatus.routes;
  if (route === undefined) throw new Error('the sample has a route');
  const routes = ROUTES.map((name, index) => ({
    ...route,
    name,
    state: index === 2 ? ('draining' as const) : ('open' as const),
    paused: index === 0 ? 3 : 0,
    sessions_total: 56_789 + look * index,
    from_client: { messages: 1_204_311 + look * index * 10, bytes: 90_000_000 + look * index * 2_000 },
  }));
  const [listener] = sampleStatus.listeners;
  if (listener === undefined) throw new Error('the sample has a listener');
  const certificate = { name: 'chat.example', not_after: '2027-01-31T00:00:00.000Z', expires_in_ms: 9 * 86_400_000 };
  return {
    ...sampleStatus,
    state: 'draining',
    uptime_ms: 7_200_000 + look * SECOND,
    refusals: { no_route: 5, too_many_handshakes: 2, too_many_auth_failures: 1_234, address_not_allowed: 17 },
    listeners: [listener, { ...listener, name: 'secure', address: '[::]:8443', certificates: [certificate] }],
    routes,
  };
}

const upstreams: readonly UpstreamView[] = sampleUpstreams.flatMap((upstream) => {
  const [target] = upstream.targets;
  if (target === undefined) return [];
  const up = { ...target, state: 'up', why: null, share: 0.5, failures: null, ejections: 0 } as const;
  const down = { ...target, name: 'c', state: 'down', why: 'check', check: { ...target.check, result: 'refused' } };
  const long = { ...up, name: 'a-backend-with-a-rather-long-name.eu-central-1.internal.example:9001' };
  const discovery = { kind: 'dns', targets: 2, age_ms: 90_000, failing_ms: 30_000, error: 'ETIMEOUT chat.internal' };
  return [
    { ...upstream, targets: [target, { ...up, name: 'b' }, down as typeof target] },
    { ...upstream, name: 'ticks', discovery, targets: [long, up] },
  ];
});

function sessionAt(index: number, look: number): SessionDetail {
  const { from_client, from_backend } = sampleSession;
  const isHostile = index === 3;
  return {
    ...sampleSession,
    id: `cafe0123456789ab-${(index + 1).toString(36)}`,
    state: index === 1 ? 'paused' : index === 2 ? 'closing' : 'open',
    reason: index === 2 ? 'idle' : null,
    route: ROUTES[index % 4] ?? '',
    client: index % 5 === 4 ? '2001:db8:85a3::8a2e:370:7334' : `192.0.2.${index + 1}`,
    path: isHostile ? HOSTILE : `/chat/room-${index}?token=***`,
    identity: isHostile ? 'a person\u001b[5m' : 'acme',
    age_ms: 90_000 * (index + 1) + look * SECOND,
    ping_rtt_ms: index % 3 === 0 ? null : index + 0.5,
    from_client: { ...from_client, messages: 100 + look * (40 - index), bytes: 10_000 + look * (40 - index) * 300 },
    from_backend: { ...from_backend, paused: index === 1, silent_ms: index * 700 },
    record: null,
  };
}
