// What must hold whatever happened: every session opened ends once, bytes that go in come out, nothing stays behind.
// Pure checks that say what is wrong, and one that watches a long run without keeping it. They read the outside only.

import { readdirSync, readFileSync } from 'node:fs';
import type { LogLine } from './log-tap.ts';
import { type Family, parseMetrics } from './metrics-text.ts';

const FAULTS_KEPT_MAX = 50;

/** Gauges that are zero when nobody is connected. */
const restingGauges = [
  'framegate_connections_open',
  'framegate_tls_handshakes_open',
  'framegate_handshakes_open',
  'framegate_handshakes_waiting',
  'framegate_sessions_open',
  'framegate_sessions_paused',
  'framegate_buffered_bytes',
  'framegate_target_sessions',
  'framegate_http_requests_open',
] as const;

/** What a process holds. */
export interface Figures {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly descriptors: number;
}

/** Payload bytes of the data frames of one end. */
export interface PayloadCount {
  readonly sent: number;
  readonly received: number;
}

/** One session as its two ends saw it; `backend` is null when none was reached. */
export interface SessionAccount {
  readonly client: PayloadCount;
  readonly backend: PayloadCount | null;
  /** A policy may drop messages of it: less than was sent may arrive, though it ended well. */
  readonly lossy?: boolean;
}

/** What one connection of a backend got. */
export interface BackendBytes {
  /** Complete request heads. */
  readonly heads: number;
  readonly switched: boolean;
  /** Bytes behind the head, if it did not switch protocols. */
  readonly strayBytes: number;
}

/** The log of a run that is over: each session opened and ended once, in this order, and no fault of our own. */
export function logFaults(lines: readonly LogLine[]): string[] {
  const watch = new LogWatch();
  for (const line of lines) watch.take(line);
  return [...watch.faults, ...watch.finish()];
}

/** `end` is the session's line in the log. */
export function byteFaults(end: LogLine, { client, backend, lossy }: SessionAccount): string[] {
  const endedWell = end.clean === true && (end.reason === 'client_close' || end.reason === 'backend_close');
  const all = endedWell && lossy !== true;
  const session = `${String(end.path)}, ${String(end.reason)}`;
  return [
    ...directionFaults(`${session}: from_client`, bytesOf(end.from_client), client.sent, backend?.received ?? 0, all),
    ...directionFaults(`${session}: from_backend`, bytesOf(end.from_backend), backend?.sent ?? 0, client.received, all),
  ];
}

/** `text` of /metrics while nobody is connected. */
export function restFaults(text: string): string[] {
  const families = parseMetrics(text);
  const faults: string[] = [];
  for (const name of restingGauges) {
    const family = families.get(name);
    if (family === undefined) faults.push(`no metric ${name}`);
    for (const { labels, value } of family?.samples ?? []) {
      if (value !== 0) faults.push(`${name}${JSON.stringify(Object.fromEntries(labels))} is ${value} at rest`);
    }
  }
  return [...faults, ...sessionFaults(families), ...requestFaults(families)];
}

function sessionFaults(families: ReadonlyMap<string, Family>): string[] {
  const faults: string[] = [];
  const totals = perRoute(families.get('framegate_sessions_total'));
  const ends = perRoute(families.get('framegate_session_ends_total'));
  const durations = perRoute(families.get('framegate_session_duration_seconds'), '_count');
  const accepted = perRoute(families.get('framegate_handshakes_total'), '', (labels) => labels.get('result') === 'ok');
  for (const [route, total] of totals) {
    const counted = { ended: ends.get(route) ?? 0, timed: durations.get(route) ?? 0, shaken: accepted.get(route) ?? 0 };
    for (const [what, count] of Object.entries(counted)) {
      if (count !== total) faults.push(`route ${route}: ${total} sessions, ${count} ${what}`);
    }
  }
  return faults;
}

/** Each request without upgrade has one class and one time, and at most one error. */
function requestFaults(families: ReadonlyMap<string, Family>): string[] {
  const totals = perRoute(families.get('framegate_http_requests_total'));
  const timed = perRoute(families.get('framegate_http_request_duration_seconds'), '_count');
  const errors = perRoute(families.get('framegate_http_errors_total'));
  return [...new Set([...totals.keys(), ...timed.keys(), ...errors.keys()])].flatMap((route) => {
    const [total, times, wrong] = [totals, timed, errors].map((counts) => counts.get(route) ?? 0);
    if (total !== times) return [`route ${route}: ${total} requests without upgrade, ${times} timed`];
    return (wrong ?? 0) > (total ?? 0) ? [`route ${route}: ${total} requests without upgrade, ${wrong} errors`] : [];
  });
}

export interface GrowthBounds {
  /** More of them than before; 0 unless something still runs. */
  readonly descriptors: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

/** Both taken at rest. */
export function growthFaults(before: Figures, after: Figures, bounds: GrowthBounds): string[] {
  return (['descriptors', 'rssBytes', 'heapBytes'] as const).flatMap((name) => {
    const grown = after[name] - before[name];
    return grown > bounds[name] ? [`${name} grew by ${grown}, from ${before[name]} to ${after[name]}`] : [];
  });
}

export function backendFaults({ heads, switched, strayBytes }: BackendBytes): string[] {
  const faults: string[] = [];
  if (heads > 1) faults.push(`${heads} request heads on one backend connection`);
  if (!switched && strayBytes > 0) faults.push(`${strayBytes} bytes behind a head that was not answered with a 101`);
  return faults;
}

/** Of another process; Linux only. The heap is what its own metrics say. */
export function figuresOf(pid: number, metricsText: string): Figures {
  const rssKib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return {
    rssBytes: Number(rssKib) * 1024,
    heapBytes: parseMetrics(metricsText).get('nodejs_heap_size_used_bytes')?.samples[0]?.value ?? Number.NaN,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** The lines of a log as they come; keeps the sessions that are open and the ids of those that are not. */
class LogWatch {
  readonly faults: string[] = [];
  /** Lines of this event that were counted instead of written. */
  readonly suppressed = new Map<string, number>();
  private readonly open = new Set<string>();
  private readonly ended = new Set<string>();

  take(line: LogLine): void {
    const session = String(line.session);
    if (line.event === 'session.open') {
      if (this.open.has(session) || this.ended.has(session)) this.faults.push(`opened twice: ${session}`);
      this.open.add(session);
    } else if (line.event === 'session.end') {
      if (this.ended.has(session)) this.faults.push(`ended twice: ${session}`);
      this.ended.add(session);
      if (!this.open.delete(session) && this.missed('session.open') === 0) this.faults.push(`never opened: ${session}`);
    } else if (line.event === 'log.suppressed') {
      const of = String(line.of);
      this.suppressed.set(of, this.missed(of) + Number(line.count));
    } else if (line.level === 'error' && line.event !== 'config.rejected') {
      this.faults.push(`an error in the log: ${JSON.stringify(line)}`);
    }
  }

  missed(event: string): number {
    return this.suppressed.get(event) ?? 0;
  }

  /** `dropped`: lines that were lost on their way, of whatever event. */
  finish(dropped = 0): string[] {
    const missing = this.open.size - this.missed('session.end') - dropped;
    const some = [...this.open].slice(0, 3).join(', ');
    return missing > 0 ? [`${missing} of ${this.open.size} sessions without session.end, such as ${some}`] : [];
  }
}

interface Ledger {
  readonly account: { readonly client: PayloadCount; backend: PayloadCount | null; readonly lossy: boolean };
  isClientOver: boolean;
  /** Connections of it to a backend that are open. */
  backendsOpen: number;
  end: LogLine | null;
}

/**
 * Watches a run of any length: sessions by the path of their request, which no two of them share. What is settled is
 * forgotten. A line in the log may come before or after its ends know that the session is over.
 */
export class RunWatch {
  faultCount = 0;
  /** The first of them. */
  readonly faults: string[] = [];
  settled = 0;
  private readonly log = new LogWatch();
  private logFaultsTaken = 0;
  private readonly ledgers = new Map<string, Ledger>();

  fault(...texts: readonly string[]): void {
    this.faultCount += texts.length;
    this.faults.push(...texts.slice(0, FAULTS_KEPT_MAX - this.faults.length));
  }

  /** A client is about to ask for a session; `client` is its count, written to as it goes on. */
  clientBegins(path: string, client: PayloadCount, lossy = false): void {
    if (this.ledgers.has(path)) this.fault(`a path twice: ${path}`);
    const account = { client, backend: null, lossy };
    this.ledgers.set(path, { account, isClientOver: false, backendsOpen: 0, end: null });
  }

  /** `wasOpen`: it got its 101. */
  clientEnds(path: string, wasOpen: boolean): void {
    const ledger = this.ledgers.get(path);
    if (ledger === undefined) return;
    ledger.isClientOver = true;
    // No session, no line in the log; that the backend may have seen it is checked all the same.
    if (!wasOpen && ledger.backendsOpen === 0) this.ledgers.delete(path);
    else this.settle(path, ledger);
  }

  /** A backend got a request and switches protocols. */
  backendBegins(path: string, backend: PayloadCount): void {
    const ledger = this.ledgers.get(path);
    if (ledger === undefined) return;
    if (ledger.account.backend !== null) this.fault(`two backend sessions for one client: ${path}`);
    ledger.account.backend = backend;
    ledger.backendsOpen += 1;
  }

  backendEnds(path: string): void {
    const ledger = this.ledgers.get(path);
    if (ledger === undefined) return;
    ledger.backendsOpen -= 1;
    this.settle(path, ledger);
  }

  backendConnection(bytes: BackendBytes): void {
    this.fault(...backendFaults(bytes));
  }

  logLine(line: LogLine): void {
    this.log.take(line);
    this.fault(...this.log.faults.slice(this.logFaultsTaken));
    this.logFaultsTaken = this.log.faults.length;
    if (line.event !== 'session.end') return;
    const path = String(line.path);
    const ledger = this.ledgers.get(path);
    if (ledger === undefined) return;
    ledger.end = line;
    this.settle(path, ledger);
  }

  /** Everybody has left, and the log has been read to its end; `dropped` as the metrics have it. */
  finish(dropped: number): void {
    this.fault(...this.log.finish(dropped));
    for (const [path, ledger] of this.ledgers) {
      // A client that got no 101 has no session, unless the backend was reached.
      if (!ledger.isClientOver) this.fault(`a client that is not over: ${path}`);
      if (ledger.backendsOpen > 0) this.fault(`a backend connection that is not over: ${path}`);
    }
  }

  private settle(path: string, ledger: Ledger): void {
    if (!ledger.isClientOver || ledger.backendsOpen > 0 || ledger.end === null) return;
    this.ledgers.delete(path);
    this.settled += 1;
    this.fault(...byteFaults(ledger.end, ledger.account));
  }
}

function directionFaults(name: string, counted: number, sent: number, received: number, all: boolean): string[] {
  const story = `${name}: ${sent} bytes sent, ${counted} counted, ${received} received`;
  const isOrdered = received <= counted && counted <= sent;
  return !isOrdered || (all && received !== sent) ? [story] : [];
}

/** Of a `session.end`: the payload bytes of one direction. */
function bytesOf(traffic: unknown): number {
  return typeof traffic === 'object' && traffic !== null ? Number(Reflect.get(traffic, 'bytes')) : Number.NaN;
}

function perRoute(
  family: Family | undefined,
  suffix = '',
  counts: (labels: ReadonlyMap<string, string>) => boolean = () => true,
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { name, labels, value } of family?.samples ?? []) {
    const route = labels.get('route');
    if (route === undefined || name !== `${family?.name}${suffix}` || !counts(labels)) continue;
    sums.set(route, (sums.get(route) ?? 0) + value);
  }
  return sums;
}
