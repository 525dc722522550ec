// The admin listener: an HTTP server with caps of its own, which asks the guards, then the table of endpoints.
// It reads no data of sessions itself and shares no socket with the data path.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../limits/clock.ts';
import type { Slices } from '../limits/slices.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import { TokenBucket } from '../limits/token-bucket.ts';
import { Unanswered } from '../limits/unanswered.ts';
import { type BoundAddress, bindServer, type Listening, type ListeningSocket } from '../net/listen.ts';
import { isLocal } from '../protocol/addresses/bind-address.ts';
import { type AdminError, type Answer, errorAnswer } from './answer.ts';
import { Delivery } from './delivery.ts';
import { type Match, matchEndpoint } from './endpoints.ts';
import { type AdminSettings, isCrossSite, isKnownHost, isNavigation, TokenCheck } from './guard.ts';
import { type PageFiles, readPage } from './page-files.ts';
import type { PageSource } from './page-source.ts';
import { type Seat, Seats } from './seats.ts';
import { SharedAnswers } from './shared-answers.ts';
import type { AdminSubject } from './subject.ts';
import { Viewers } from './viewers.ts';

const HEAD_BYTES_MAX = 16 * 1024;
const HEADERS_MAX = 100;
/** Parameters are in the query; a body is read only to be rid of it. */
const BODY_BYTES_MAX = 16 * 1024;
const TIMEOUT_MS = 5_000;
/** For the head of a request; whoever asks has it ready. */
const HEAD_TIMEOUT_MS = 2_000;
const CHECKS_PER_TIMEOUT = 5;
/** Answers that cost work, health checks excluded: a hammering client gets 429 instead of the process's time. */
const REQUESTS_PER_SECOND = 100;
const REQUESTS_BURST = 200;

interface AdminLog {
  event(level: 'info' | 'warn' | 'error', event: string, fields: Readonly<Record<string, unknown>>): void;
}

interface AdminServerOptions {
  readonly settings: AdminSettings;
  readonly subject: AdminSubject;
  /** What its page shows. */
  readonly page: PageSource;
  readonly log: AdminLog;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** What views are made and written in. */
  readonly slices: Slices;
  /** For a request to be complete, for an answer to be taken, for a kept connection to stay; tests have less time. */
  readonly timeoutMs?: number;
  /** A listening socket that was handed over for its address. */
  readonly inherited?: number | null;
}

export class AdminServer {
  private readonly options: AdminServerOptions;
  private settings: AdminSettings;
  private token: TokenCheck;
  private readonly budget: TokenBucket;
  private readonly seats: Seats<Socket>;
  private readonly shared: SharedAnswers;
  private readonly delivery: Delivery;
  private readonly server: Server;
  private readonly viewers: Viewers;
  private files: PageFiles | null = null;
  private listening: Listening | null = null;
  private isLeaving = false;

  constructor(options: AdminServerOptions) {
    const { settings, clock, wheel, slices, timeoutMs = TIMEOUT_MS } = options;
    this.options = options;
    this.settings = guarded(settings);
    this.token = new TokenCheck(settings.token);
    this.budget = new TokenBucket(REQUESTS_PER_SECOND, REQUESTS_BURST, clock.now());
    // What came in this turn is read in the next.
    this.seats = new Seats((run) => void setImmediate(() => setImmediate(run)));
    this.shared = new SharedAnswers(slices);
    this.delivery = new Delivery({ clock, wheel, slices, timeoutMs });
    this.viewers = new Viewers({ source: options.page, clock, slices, onFault: (error) => this.tellFault(error) });
    const headMs = Math.min(HEAD_TIMEOUT_MS, timeoutMs);
    this.server = createServer({
      maxHeaderSize: HEAD_BYTES_MAX,
      headersTimeout: headMs,
      requestTimeout: timeoutMs,
      keepAliveTimeout: timeoutMs,
      connectionsCheckingInterval: Math.ceil(headMs / CHECKS_PER_TIMEOUT),
      // Health checks may come without a Host; everything else is judged by it anyway.
      requireHostHeader: false,
    });
    this.server.maxHeadersCount = HEADERS_MAX;
    this.server.on('connection', (socket) => this.seat(socket));
    this.server.on('request', (request, response) => void this.handle(request, response));
    // Nothing here is upgraded or tunnelled, and nobody is told to go on with a body.
    this.server.on('upgrade', (_request, socket) => socket.destroy());
    this.server.on('connect', (_request, socket) => socket.destroy());
    this.server.on('checkContinue', (request, response) => void this.handle(request, response));
  }

  /** Binds; rejects with the system's error. */
  async start(): Promise<void> {
    this.files = await readPage();
    if (this.files === null) this.options.log.event('warn', 'admin.page_missing', {});
    const { settings, inherited = null } = this.options;
    this.listening = await bindServer(this.server, settings.address, { inherited });
  }

  /** Its listening socket; null where this Node does not tell it. */
  get socket(): ListeningSocket | null {
    return this.listening?.socket ?? null;
  }

  /**
   * Another process listens here from now on: who is answered just now gets the answer, and nobody asks a second time.
   * Resolves when all of them have left, or have had the time to.
   */
  leave(): Promise<void> {
    const { wheel, clock, timeoutMs = TIMEOUT_MS } = this.options;
    this.isLeaving = true;
    const left = this.listening?.leave();
    this.listening = null;
    this.viewers.cutAll();
    this.server.closeIdleConnections();
    return new Promise((resolve) => {
      const late = new Alarm(() => resolve());
      wheel.schedule(late, clock.now() + timeoutMs);
      void left?.then(() => {
        wheel.cancel(late);
        resolve();
      });
    });
  }

  /** Who may ask from now on. The address stays what it was. */
  reconfigure(settings: AdminSettings): void {
    const { token } = this.settings;
    this.settings = guarded(settings);
    this.token = new TokenCheck(settings.token);
    if (settings.token !== token) this.viewers.endAll('token');
  }

  /** Where it listens: the real port, or the path. */
  address(): BoundAddress | string {
    if (this.listening === null) throw new Error('the admin listener is not bound');
    return this.listening.address;
  }

  /** How many are open. */
  connections(): Promise<number> {
    return new Promise((resolve) => this.server.getConnections((_error, count) => resolve(count)));
  }

  /** Stops listening and cuts every connection. */
  async stop(): Promise<void> {
    const closed = this.listening?.close();
    this.server.closeAllConnections();
    await closed;
  }

  private seat(socket: Socket): void {
    socket.once('close', () => this.seats.leave(socket));
    this.seats.enter(socket);
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A connection that breaks off is that client's affair.
    request.on('error', () => {});
    response.on('error', () => {});
    const seat = this.seats.asks(request.socket);
    if (seat === null) return;
    if (this.isLeaving) response.shouldKeepAlive = false;
    response.once('close', () => this.seats.answered(request.socket));
    try {
      const answer = this.judgeSender(request) ?? (await this.answer(request, response, seat));
      if (this.isLeaving) response.shouldKeepAlive = false;
      if (answer !== null) this.delivery.send(request, response, answer);
    } catch (error) {
      // It went away in the middle of its body: nobody is left to answer.
      if (request.errored !== null) return;
      if (error instanceof Unanswered) {
        this.delivery.send(request, response, errorAnswer('unanswered'));
        return;
      }
      this.tellFault(error);
      this.delivery.send(request, response, errorAnswer('internal_error'));
    }
  }

  private tellFault(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.options.log.event('error', 'admin.fault', { error: text });
  }

  /** A page of another origin is refused before its request is looked at in any other way. */
  private judgeSender(request: IncomingMessage): Answer | null {
    if (!isCrossSite(request.headers)) return null;
    const opensPage = request.method === 'GET' && request.url === '/' && isNavigation(request.headers);
    return opensPage ? null : errorAnswer('cross_site');
  }

  /** Null: it is a stream from now on. */
  private async answer(request: IncomingMessage, response: ServerResponse, seat: Seat): Promise<Answer | null> {
    const { subject, log } = this.options;
    const match = matchEndpoint(request.method ?? '', request.url ?? '');
    const refusal = seat === 'health' && match.group !== 'health' ? 'too_many_connections' : this.judge(request, match);
    if (refusal !== null) return errorAnswer(refusal);
    if ('refused' in match) return match.refused;
    const { token } = this;
    if (!(await bodyIsSmall(request))) return errorAnswer('body_too_large');
    // While its body came others may have been let in instead.
    const late = token === this.token ? null : this.judge(request, match);
    if (late !== null) return errorAnswer(late);
    if (match.action !== null) {
      const client = request.socket.remoteAddress ?? 'unix';
      log.event('info', 'admin.action', { action: match.action, client, arguments: match.details });
    }
    const { work } = match;
    const { settings, files } = this;
    const isOpen = settings.token === null;
    const page = settings.page ? { source: this.options.page, files, isOpen } : null;
    if (work.how === 'stream') return this.stream(request, response, page !== null);
    const asked = { subject, page };
    if (work.how === 'at once') return work.run(asked);
    // Nobody shares an answer with data in it that was begun before there was a token.
    const question = [isOpen, request.url].join(' ');
    return this.shared.ask(work.kind, question, () => work.begin(asked));
  }

  private stream(request: IncomingMessage, response: ServerResponse, isOn: boolean): Answer | null {
    if (!isOn) return errorAnswer('not_found');
    return this.viewers.enter(request, response) ? null : errorAnswer('too_many_viewers');
  }

  private judge(request: IncomingMessage, match: Match): AdminError | null {
    const { settings } = this;
    if (!this.isPublic(match)) {
      // Node keeps the first of two Host fields: which one a proxy in front went by is anybody's guess.
      const isOne = (request.headersDistinct.host ?? []).length <= 1;
      if (!isOne || !isKnownHost(request.headers.host, settings.hosts)) return 'foreign_host';
      if (match.group !== 'page' && !this.token.passes(request.headers.authorization)) return 'unauthorized';
    }
    return match.group === 'health' || this.budget.takeOne(this.options.clock.now()) ? null : 'too_many_requests';
  }

  private isPublic({ group, namesParts }: Match): boolean {
    return group !== null && group !== 'page' && this.settings.public.includes(group) && !namesParts;
  }
}

/** The config refuses this too; what is dangerous is checked where it would do harm. */
function guarded(settings: AdminSettings): AdminSettings {
  if (settings.token !== null || isLocal(settings.address)) return settings;
  throw new Error('admin: a token is required on an address that other machines reach');
}

/** Reads a body to its end and drops it; false as soon as it is larger than any body need be. */
async function bodyIsSmall(request: IncomingMessage): Promise<boolean> {
  if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) return false;
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += Buffer.byteLength(chunk);
    if (bytes > BODY_BYTES_MAX) return false;
  }
  return true;
}
