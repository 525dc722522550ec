// What the admin listener shows of a proxy and asks of it: the one list of that, which `control/` implements. The views
// go out as JSON as they are, so they hold no secret. Sizes are in bytes, times in milliseconds.

import type { Pull, Pulled } from '../limits/pulled.ts';
import type { Advice } from '../observe/advice.ts';
import type { CloseNotice } from '../protocol/end-causes.ts';
import type { BarWhy, TargetState } from '../upstream/target-words.ts';
import type { GenerationView, RestartResult } from './generations.ts';
import type { WorkerStatusView } from './worker-status.ts';

export type ProxyState = 'starting' | 'ready' | 'draining';

export interface TrafficView {
  readonly messages: number;
  readonly bytes: number;
}

export interface CertificateView {
  readonly name: string;
  /** ISO time. */
  readonly not_after: string;
  /** Until then; negative when it has ended. */
  readonly expires_in_ms: number;
}

/** A certificate that is to be got by ACME, and is not there yet. */
export interface WaitedCertificateView {
  readonly name: string;
  /** The listener has no other one either. */
  readonly tls_refused: boolean;
  /** ISO time; null: an order is due or under way. */
  readonly next_try: string | null;
}

interface ListenerView {
  readonly name: string;
  /** As bound: host and real port, or `unix:` and the path. */
  readonly address: string;
  readonly connections: number;
  /** Of its TLS, by when they end; of two with one name the one that ends first. */
  readonly certificates: readonly CertificateView[];
  readonly waiting: readonly WaitedCertificateView[];
}

export interface RouteView {
  readonly name: string;
  /** Null: it takes no WebSockets. */
  readonly upstream: string | null;
  /** Where requests without upgrade go; null: nowhere. */
  readonly http: string | null;
  readonly state: 'open' | 'draining';
  readonly sessions: number;
  /** Null when there is none. */
  readonly sessions_limit: number | null;
  readonly sessions_total: number;
  readonly handshakes_refused: number;
  /** Without upgrade, since the start. */
  readonly http_requests: number;
  readonly paused: number;
  readonly from_client: TrafficView;
  readonly from_backend: TrafficView;
}

export interface StatusView {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly state: ProxyState;
  /** The youngest first; of this moment, or a second ago. */
  readonly before: readonly GenerationView[];
  readonly uptime_ms: number;
  readonly config: {
    readonly name: string;
    /** ISO times; null when it was never reloaded. */
    readonly loaded_at: string;
    readonly last_reload: { readonly at: string; readonly ok: boolean } | null;
  };
  readonly sessions: { readonly open: number; readonly limit: number | null; readonly total: number };
  readonly handshakes_open: number;
  readonly http_requests_open: number;
  /** Refusals of all routes and listeners by their cause, the most frequent first. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly buffered_bytes: number;
  /** Of all processes. */
  readonly memory_bytes: number;
  /** Absent: one process does all. */
  readonly workers?: readonly WorkerStatusView[];
  readonly listeners: readonly ListenerView[];
  readonly routes: readonly RouteView[];
}

/** Since the start. A quantile is at most an eighth too high. */
export interface LatencyView {
  readonly count: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

export interface CheckView {
  /** `ok`, or what failed. */
  readonly result: string;
  /** More of that; '' when there is no more. */
  readonly cause: string;
  /** Since it was over, and how long it took. */
  readonly age_ms: number;
  readonly took_ms: number;
}

export interface TargetView {
  readonly name: string;
  readonly url: string;
  /** `config`, or how it was found. */
  readonly source: string;
  /** `failing`: its last dial failed. */
  readonly state: TargetState;
  /** Who keeps new sessions away; null while nobody does. */
  readonly why: BarWhy | null;
  /** Since somebody does, or nobody does any more; null when it has been so from the beginning. */
  readonly state_ms: number | null;
  /** Since its dials fail; null when the last one succeeded, or there was none. */
  readonly failing_ms: number | null;
  readonly weight: number;
  /** Of the next sessions, by the weights that count now, from 0 to 1: 0 while it takes none. */
  readonly share: number;
  readonly backup: boolean;
  /** Handshakes that dial it included. */
  readonly sessions: number;
  readonly handshakes: number;
  readonly sessions_limit: number | null;
  readonly sessions_total: number;
  readonly dials_failed: number;
  /** Dials that connected: look-up, TCP and TLS; and from the request to its 101. Null before the first. */
  readonly connect: LatencyView | null;
  readonly upgrade: LatencyView | null;
  /** The last one; null while it was not checked. */
  readonly check: CheckView | null;
  /** Of sessions, within `health.passive.window`; null while `health.passive` is off. */
  readonly failures: number | null;
  readonly ejections: number;
}

/** Of targets that are found while framegate runs. */
export interface DiscoveryView {
  /** How. */
  readonly kind: string;
  readonly targets: number;
  /** Of the last good answer; null before the first. */
  readonly age_ms: number | null;
  /** Since when none was good, and why; null while they are. */
  readonly failing_ms: number | null;
  readonly error: string | null;
}

export interface UpstreamView {
  readonly name: string;
  readonly balance: string;
  /** Under way. */
  readonly handshakes: number;
  /** Handshakes that wait until a target has room. */
  readonly queued: number;
  readonly discovery: DiscoveryView | null;
  readonly targets: readonly TargetView[];
}

export type SessionState = 'open' | 'paused' | 'closing';

export interface SessionSideView extends TrafficView {
  readonly largest_message: number;
  /** Not read right now, because the other side does not take what it sends. */
  readonly paused: boolean;
  readonly pauses: number;
  /** Bytes of this side that the other has not taken yet. */
  readonly buffered: number;
  /** Since its last byte. */
  readonly silent_ms: number;
}

/** The header of a frame that a peer sent. */
export interface FrameView {
  /** Since the session opened. */
  readonly at_ms: number;
  readonly from: 'client' | 'backend';
  /** `text`, `binary`, `continuation`, `ping`, `pong`, `close`, or a reserved one as its number. */
  readonly opcode: string;
  readonly fin: boolean;
  /** Payload; 4 GiB - 1 stands for more. */
  readonly bytes: number;
  /** Of a Close, 1005 when it had none; null of all others. */
  readonly code: number | null;
}

export interface SessionView {
  readonly id: string;
  readonly state: SessionState;
  readonly route: string;
  readonly upstream: string;
  readonly target: string;
  readonly listener: string;
  readonly client: string;
  /** The socket's address when `client` is another. */
  readonly peer: string | null;
  readonly path: string;
  readonly request_id: string;
  readonly subprotocol: string | null;
  /** The method of `auth` that let it in, and whom it took the client for. */
  readonly auth: string | null;
  readonly identity: string | null;
  /** When its credential ends it, as an ISO time, and until then; null: never. */
  readonly expires_at: string | null;
  readonly expires_in_ms: number | null;
  readonly age_ms: number;
  /** Of the last ping of ours; null when there was none. */
  readonly ping_rtt_ms: number | null;
  /** Why it is ending; null while it is not. */
  readonly reason: string | null;
  readonly from_client: SessionSideView;
  readonly from_backend: SessionSideView;
}

/** One session with its last frames, the oldest first; null: `record` is off. */
export interface SessionDetail extends SessionView {
  readonly record: readonly FrameView[] | null;
}

/** How much of a limit or timeout was used. */
export interface NearLimit {
  /** Its place in the config: `limits.from_client.max_message_size`, `timeouts.idle`. */
  readonly key: string;
  readonly unit: 'bytes' | 'ms' | 'count';
  readonly limit: number;
  readonly used: number;
  /** `used` of `limit`, in hundredths rounded down; above 1 for what went over it. */
  readonly share: number;
}

interface WhyTimes {
  /** ISO times. Null: not yet. */
  readonly opened_at: string;
  /** The first cause of its end. */
  readonly ending_at: string | null;
  readonly ended_at: string | null;
  /** From its opening until now, or until its cause. */
  readonly lived_ms: number;
  /** From its cause until both connections were closed; until now while they are not. Null while it is open. */
  readonly closing_ms: number | null;
  readonly connect_ms: number;
  readonly upgrade_ms: number;
}

/** Why a session ended, or how near it is to an end. */
export interface WhyView {
  readonly session: string;
  readonly state: 'open' | 'closing' | 'ended';
  /** What happened, for people. */
  readonly sentence: string;
  /** The `reason` of the log; null while it is open. */
  readonly cause: string | null;
  /** Code of the Close that the client was sent, or the backend; null when it was sent none. */
  readonly code: number | null;
  readonly code_backend: number | null;
  /** The text of our own Close to the client; null when it got none, or the backend's. */
  readonly reason: string | null;
  /** Whose doing it was; null while it is open. */
  readonly by: 'client' | 'backend' | 'proxy' | null;
  /** The limit or timeout that ended it, as its place in the config; null: none did. */
  readonly limit: string | null;
  /** A Close went both ways on both sides. */
  readonly clean: boolean;
  /** A side was cut off inside a frame. */
  readonly mid_frame: boolean;
  /** As the session stood when its end began; what it had sent and received is that of its end. */
  readonly facts: Omit<SessionView, 'id' | 'state' | 'reason'>;
  readonly times: WhyTimes;
  /** What was used of limits and timeouts then, the nearest first: at least half of them. */
  readonly near: readonly NearLimit[];
  /** The last frames, the oldest first; null: `record` is off. */
  readonly record: readonly FrameView[] | null;
  /** What to change if this was not meant. */
  readonly change: readonly string[];
}

/** Which credentials of a method are refused from now on. */
export interface RevokeAsk {
  readonly auth: string;
  readonly kind: 'identity' | 'key' | 'jti' | 'all';
  /** '' for all. */
  readonly value: string;
  /** Null: for a day, or for as long as they would be good where that is known. */
  readonly forMs: number | null;
}

export type RevokeResult =
  | {
      readonly ended: number;
      /** ISO time. */
      readonly until: string;
      /** Also over a restart. */
      readonly durable: boolean;
    }
  | { readonly error: 'no_method' | 'not_of_method' | 'revocations_full' | 'not_written' | 'restarting' };

/** `ok`, or why not. */
export type Extended = 'ok' | 'no_session' | 'ending' | 'not_bound' | 'bad_until';

/** What a session must be to be meant; absent means any. `client` is an address as shown, `target` a target's name. */
export interface SessionFilter {
  readonly route?: string;
  readonly client?: string;
  readonly target?: string;
  /** As it is, or behind its method and a slash. */
  readonly identity?: string;
}

/**
 * What is largest comes first: messages, bytes and what waits to be taken of both sides together, the time of the last
 * ping, how long neither side sent a byte, how long ago it began.
 */
export type SessionSort = 'messages' | 'bytes' | 'buffered' | 'rtt' | 'silent' | 'age';

export interface SessionQuery extends SessionFilter {
  readonly state?: SessionState;
  /** Absent: in the order in which they began. */
  readonly sort?: SessionSort;
  readonly limit: number;
  /**
   * The `next` of a page in the same order. Without `sort` it is an id, where one process has all sessions: only those
   * that began after that one, whether it still exists or not.
   */
  readonly after?: string;
}

export interface SessionPage {
  readonly sessions: readonly SessionView[];
  /** What to pass as `after` for the next page; null on the last. */
  readonly next: string | null;
  /** How many there are on all the pages behind this one. */
  readonly more: number;
}

/** The shape that the gateway of Zowe answers with. */
export interface ApplicationWebsocket {
  readonly sessionId: string;
  readonly clientAddress: string;
  readonly gatewayPath: string;
  readonly serviceUrl: string;
  readonly serviceSessionId: string;
}

export type ReloadResult =
  | { readonly ok: true; readonly changed: readonly string[] }
  | { readonly ok: false; readonly problems: readonly unknown[] };

/** Of the route that was asked about: `no_target`: each target drains; `failing`: all dials of the last 10 s failed. */
export type Readiness = ProxyState | 'no_target' | 'failing';

/** What a client shall be told; what is absent is as the config has it. */
export type AskedClose = Partial<CloseNotice>;

/**
 * A promise everywhere, since what is asked may live in other processes. What a view holds besides its lists is of one
 * moment. Lists and texts of any length are made while they are read, which may take many turns of the event loop; what
 * was there all the time is in them. Names that do not exist are null or false.
 */
export interface AdminSubject {
  status(): Promise<Pulled<StatusView>>;
  upstreams(): Promise<Pulled<readonly UpstreamView[]>>;
  /**
   * At most `query.limit` sessions. `next` and `more` are known when they have been read. Each stands where it stood
   * when it was looked at, some turns before it is shown; over pages, one that changes may be shown twice, or missed.
   */
  sessions(query: SessionQuery): Promise<Pulled<SessionPage>>;
  session(id: string): Promise<SessionDetail | null>;
  /** Of a session that is open, or has ended not long ago: by its id, or that of its request. */
  why(id: string): Promise<WhyView | null>;
  applicationWebsockets(): Promise<Pulled<readonly ApplicationWebsocket[]>>;
  /** The effective config as YAML, secrets masked. */
  config(): Promise<Iterable<Pull<string>>>;
  metrics(): Promise<Iterable<Pull<string>>>;
  advice(): Promise<Pulled<Advice>>;
  /** Null for a route that does not exist. */
  readiness(route?: string): Promise<Readiness | null>;
  /** False: no such session, or it is ending already. */
  closeSession(id: string, close: AskedClose): Promise<boolean>;
  /** Closes all that fit, spread over `drain.spread`; how many those are. */
  closeSessions(filter: SessionFilter, close: AskedClose): Promise<number>;
  /** Resolves when all of them have been told to end. */
  revoke(ask: RevokeAsk): Promise<RevokeResult>;
  /** `until`: milliseconds since 1970. */
  extendSession(id: string, until: number): Promise<Extended>;
  /** False: no such route or target. Doing it twice is no fault. */
  drainRoute(route: string, draining: boolean): Promise<boolean>;
  drainTarget(upstream: string, target: string, draining: boolean): Promise<boolean>;
  /** Begins the drain that ends in the end of the process, and does not wait for it. */
  drain(): Promise<void>;
  /** `force`: however many sessions it ends. */
  reload(force: boolean): Promise<ReloadResult>;
  /** Resolves when the next generation is ready, or has failed. */
  restart(): Promise<RestartResult>;
}
