// Restarts without a gap, from the old generation's side: one at a time, a new one is started and waited for; then the
// old one is told to leave, or it goes on as before. It accepts, drains and ends nothing itself.

import type { GenerationView, RestartResult } from '../admin/generations.ts';
import type { Revocations } from '../edge/auth/revocations.ts';
import type { Clock } from '../limits/clock.ts';
import type { Slices } from '../limits/slices.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import type { ListeningSocket } from '../net/listen.ts';
import type { KeptSecret } from '../net/ticket-secrets.ts';
import type { Log } from '../observe/log.ts';
import type { Generation, Launch } from './generation.ts';
import { type Downward, readUpward } from './generation-messages.ts';

/** For a new generation to be ready. */
const READY_MS = 30_000;
/** How often it hears how the old one does. */
const TELL_MS = 1_000;
/** Of what was revoked, as many go in one message. */
const LINES_A_MESSAGE = 200;

/** What a restart needs of the process that this proxy runs in. */
export interface RestartMeans {
  /** Or why nothing can be started here. */
  readonly launch: Launch | { readonly whyNot: string };
  /** Older ones that are still there. */
  before(): readonly GenerationView[];
  /** This one leaves: its drain has begun. */
  onHandedOver(): void;
}

/** Of a proxy that another program has made. */
export const NO_RESTARTS: RestartMeans = {
  launch: { whyNot: 'only the command framegate can, not a program that uses it as a library' },
  before: () => [],
  onHandedOver: () => {},
};

interface RestartsOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly slices: Slices;
  readonly log: Log;
  readonly means: RestartMeans;
  /** The listening sockets of this process. */
  sockets(): ReadonlyMap<string, ListeningSocket>;
  isDraining(): boolean;
  /** What the next one goes on with. */
  tickets(): KeptSecret;
  readonly revocations: Pick<Revocations, 'seal' | 'unseal' | 'lines'>;
  /** This one. */
  view(): GenerationView;
  /** The next one accepts: this one shall accept no more, and leave. */
  handOver(): void;
}

export class Restarts {
  private readonly options: RestartsOptions;
  private next: Generation | null = null;
  /** Ends the one under way. */
  private giveUp: ((why: string) => void) | null = null;
  private readonly telling = new Alarm((now) => this.tell(now));
  private hasHandedOver = false;

  constructor(options: RestartsOptions) {
    this.options = options;
  }

  /** A new process is being started. */
  get isUnderWay(): boolean {
    return this.giveUp !== null;
  }

  async run(): Promise<RestartResult> {
    const { options } = this;
    const { clock, log, means } = options;
    const { launch } = means;
    if (options.isDraining() || this.hasHandedOver) return { ok: false, error: 'draining' };
    if (this.giveUp !== null) return { ok: false, error: 'restarting' };
    if (typeof launch !== 'function') return { ok: false, error: 'not_restartable', why: launch.whyNot };
    log.event('info', 'restart.begin', {});
    const startedAt = clock.now();
    const why = await this.start(launch);
    this.giveUp = null;
    const ms = Math.round(clock.now() - startedAt);
    const pid = this.next?.pid ?? 0;
    if (why !== null) {
      this.next = null;
      options.revocations.unseal();
      log.event('error', 'restart.end', { ok: false, error: why, ms });
      return { ok: false, error: 'restart_failed', why };
    }
    this.hasHandedOver = true;
    log.event('info', 'restart.end', { ok: true, pid, ms });
    options.handOver();
    means.onHandedOver();
    this.tell(clock.now());
    return { ok: true, pid, ms };
  }

  /** The process is about to end: a new generation that is not ready is not waited for. */
  abort(): void {
    this.giveUp?.('framegate is draining');
  }

  stop(): void {
    this.abort();
    this.options.wheel.cancel(this.telling);
  }

  /** Resolves with null when it is ready, else with why it is not; it is gone then. */
  private start(launch: Launch): Promise<string | null> {
    const { clock, wheel, sockets } = this.options;
    return new Promise((resolve) => {
      let said: string | null = null;
      let isOver = false;
      const settle = (why: string | null): void => {
        if (isOver) return;
        isOver = true;
        wheel.cancel(late);
        if (why !== null) this.next?.kill();
        resolve(why);
      };
      const late = new Alarm(() => settle(`it was not ready within ${READY_MS / 1000} s`));
      this.giveUp = settle;
      wheel.schedule(late, clock.now() + READY_MS);
      const onMessage = (message: unknown): void => {
        const told = readUpward(message);
        if (told?.kind === 'ready') settle(null);
        else if (told?.kind === 'failed') said = told.why;
      };
      const onEnd = (why: string): void => {
        if (said !== null || isOver || this.next === null) settle(said ?? why);
        else void this.next.explain().then((text) => settle(text === '' ? why : `${why}\n${text}`));
      };
      this.next = launch(sockets(), { onMessage, onEnd });
      void this.bequeath(this.next);
    });
  }

  /** What is to be revoked from here on is refused: with the next one it would be good again. */
  private async bequeath(next: Generation): Promise<void> {
    const { revocations, slices } = this.options;
    await revocations.seal();
    await slices.run(this.tellKept(next));
  }

  private *tellKept(next: Generation): Generator<void> {
    const { revocations, tickets } = this.options;
    const tell = (message: Downward) => next.send(message);
    let lines: string[] = [];
    for (const line of revocations.lines()) {
      lines.push(line);
      if (lines.length < LINES_A_MESSAGE) continue;
      tell({ kind: 'revoked', lines });
      lines = [];
      yield;
    }
    tell({ kind: 'revoked', lines });
    tell({ kind: 'kept', tickets: tickets() });
  }

  private tell(now: number): void {
    const { wheel, view, means } = this.options;
    const message: Downward = { kind: 'before', generations: [view(), ...means.before()] };
    this.next?.send(message);
    wheel.schedule(this.telling, now + TELL_MS);
  }
}
