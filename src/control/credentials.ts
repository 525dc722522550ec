// What an operator or a backend says of the credentials that sessions stand on: revoked, or good for longer. What is
// refused from then on is not its affair.

import type { Extended, RevokeAsk, RevokeResult } from '../admin/subject.ts';
import type { AuthMethod, Standing } from '../edge/auth/method.ts';
import { RevocationsFull, RevocationsSealed } from '../edge/auth/revocations.ts';
import type { Edge } from '../edge/edge.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import type { Slices } from '../limits/slices.ts';
import { isoTime } from './iso-time.ts';
import { findSession } from './session-lists.ts';

const DAY_MS = 86_400_000;
/** An entry is kept this long, though what it is about has ended. */
const KEPT_MIN_MS = 60_000;
const NEVER = Number.POSITIVE_INFINITY;

type Kind = AuthMethod['config']['kind'];

/** Methods whose credentials have a name in the config, and those whose credentials can have a jti. */
const WITH_KEYS: ReadonlySet<Kind> = new Set<Kind>(['api_key', 'basic', 'hmac']);
const WITH_JTI: ReadonlySet<Kind> = new Set<Kind>(['jwt', 'introspection']);

export class Credentials {
  private readonly edge: Edge;
  private readonly slices: Slices;

  constructor(edge: Edge, slices: Slices) {
    this.edge = edge;
    this.slices = slices;
  }

  /** Refused first, then ended: nobody comes back in between. */
  async revoke(ask: RevokeAsk): Promise<RevokeResult> {
    const { edge, slices } = this;
    const { auth } = edge.snapshot;
    const method = auth.get(ask.auth);
    if (method === undefined) return { error: 'no_method' };
    if (!canMean(ask, method.config.kind)) return { error: 'not_of_method' };
    const until = await this.untilOf(ask, method);
    let before = 0;
    const applied = (): void => {
      before = edge.clock.now();
      auth.get(ask.auth)?.forget?.();
    };
    try {
      await auth.revocations.add(ask, until, method.config, applied);
    } catch (error) {
      if (error instanceof RevocationsFull) return { error: 'revocations_full' };
      if (error instanceof RevocationsSealed) return { error: 'restarting' };
      edge.log.event('error', 'revocations.failed', { error: String(error) });
      return { error: 'not_written' };
    }
    const ended = await slices.run(this.end(ask, before));
    return { ended, until: isoTime(until) ?? '', durable: auth.revocations.isDurable };
  }

  /** By its sessions that stand on it: until when it would be good, in milliseconds since 1970; 0: there is none. */
  async expiry(ask: RevokeAsk): Promise<number> {
    const latest = await this.slices.run(this.expiryOf(ask));
    return latest === NEVER ? 0 : latest;
  }

  /** `until`: milliseconds since 1970. */
  extend(id: string, until: number): Extended {
    const record = findSession(this.edge.sessions, id);
    if (record === null) return 'no_session';
    if (record.session.cause !== null) return 'ending';
    if (until <= this.edge.snapshot.wallNow()) return 'bad_until';
    return record.extend(until) ? 'ok' : 'not_bound';
  }

  /** For as long as it is asked for, else for as long as it would be good, where that is known. */
  private async untilOf(ask: RevokeAsk, method: AuthMethod): Promise<number> {
    const now = this.edge.snapshot.wallNow();
    if (ask.forMs !== null) return now + ask.forMs;
    const known =
      ask.kind === 'jti' ? await this.slices.run(this.expiryOf(ask)) : ask.kind === 'key' ? keyEnd(method, ask) : NEVER;
    return known === NEVER ? now + DAY_MS : Math.max(known, now + KEPT_MIN_MS);
  }

  /** By the sessions that stand on it. */
  private *expiryOf(ask: RevokeAsk): Generator<void, number> {
    let latest = 0;
    for (const { credential } of this.sessions()) {
      if (credential !== null && means(ask, credential.grant)) latest = Math.max(latest, credential.grant.expiresAt);
      yield;
    }
    return latest === 0 ? NEVER : latest;
  }

  /** Those that began before, and handshakes that wait: who has come since was judged by what holds now. */
  private *end(ask: RevokeAsk, before: number): Generator<void, number> {
    let ended = 0;
    for (const { session, credential, startedAt } of this.sessions()) {
      if (startedAt <= before && session.cause === null && credential !== null && means(ask, credential.grant)) {
        try {
          session.end('credential_revoked');
        } catch (error) {
          session.fail(error);
        }
        ended += 1;
      }
      yield;
    }
    for (const connection of [...this.edge.connections]) {
      connection.lookAgain();
      yield;
    }
    return ended;
  }

  /** Those that come meanwhile would make it endless. */
  private *sessions(): Generator<SessionRecord> {
    let left = this.edge.sessions.size;
    for (const record of this.edge.sessions) {
      if (left === 0) return;
      left -= 1;
      yield record;
    }
  }
}

function canMean({ kind }: RevokeAsk, method: Kind): boolean {
  if (kind === 'key') return WITH_KEYS.has(method);
  return kind === 'jti' ? WITH_JTI.has(method) : true;
}

function means({ auth, kind, value }: RevokeAsk, grant: Standing): boolean {
  return grant.auth === auth && (kind === 'all' || grant[kind] === value);
}

function keyEnd({ config }: AuthMethod, { value }: RevokeAsk): number {
  if (config.kind !== 'api_key') return NEVER;
  const ends = config.keys.flatMap(({ name, expires = NEVER }) => (name === value ? expires : []));
  return ends.length === 0 ? NEVER : Math.max(...ends);
}
