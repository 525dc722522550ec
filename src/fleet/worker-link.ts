// One worker as the primary sees it: its process, the channel to it, and what it has of clients. It decides nothing
// about it.

import { Socket } from 'node:net';
import { partsOf } from '../config/portable.ts';
import type { Config } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import type { Slices } from '../limits/slices.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import type { LaneSender } from '../net/handle-lane.ts';
import type { RawClient } from '../net/raw-client.ts';
import { Asks } from './asks.ts';
import { Channel, type IpcEnd } from './channel.ts';
import { type LaneNote, noteText } from './lane-notes.ts';
import type { Beat, Hello, ToldPrimary, ToldWorker, ToPrimary, ToWorker } from './worker-messages.ts';

/** A process that was started as a worker. */
interface WorkerChild extends Omit<IpcEnd, 'on'> {
  /** Undefined: it could not be started. */
  readonly pid?: number | undefined;
  kill(signal: 'SIGKILL'): boolean;
  on(name: 'message', take: (message: unknown, handle: unknown) => void): unknown;
  on(name: 'disconnect', take: () => void): unknown;
  on(name: 'exit', take: (code: number | null, signal: string | null) => void): unknown;
  on(name: 'error', take: (error: Error) => void): unknown;
}

/** Starts one; whatever goes wrong comes by its `error` or `exit`. */
export type LaunchWorker = (index: number) => Launched;

interface Launched {
  readonly child: WorkerChild;
  /** To the descriptor LANE_FD of the child; null: clients go over the channel. */
  readonly lane: Socket | null;
}

/** How a worker ended. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly reason: ExitReason;
  /** What it said of it, or the system. */
  readonly why: string | undefined;
}

/**
 * `stopped`: it was told to; `hung`: by the watchdog; `outdated`: it did not take on the config that all others have;
 * `failed`: it could not begin; `killed`: by a signal of somebody else; `crashed`: all else.
 */
type ExitReason = 'stopped' | 'hung' | 'outdated' | 'failed' | 'killed' | 'crashed';

interface WorkerLinkOptions {
  readonly index: number;
  readonly child: WorkerChild;
  readonly lane: LaneSender | null;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly slices: Slices;
  onReady(link: WorkerLink): void;
  onTook(link: WorkerLink, cid: number): void;
  onGone(link: WorkerLink, cid: number): void;
  onCut(link: WorkerLink, wasIdle: boolean): void;
  /** Nothing comes of it any more. Once. */
  onOver(link: WorkerLink, exit: WorkerExit): void;
}

export class WorkerLink {
  readonly index: number;
  readonly pid: number;
  readonly startedAt: number;
  readonly channel: Channel<ToWorker, ToPrimary>;
  readonly asks: Asks<ToldWorker, ToldPrimary>;
  state: 'starting' | 'ready' | 'over' = 'starting';
  /** What it said of itself last. */
  beat: Beat = { sessions: 0, memory: 0, idle: 0, isShort: false };
  /** Without one, while this process ran, in milliseconds. */
  silentMs = 0;
  /** Clients that it was given and that are not gone. */
  open = 0;
  /** Of those, whose handles it has not told to have taken. */
  inFlight = 0;
  /** It has not told yet whether it could cut an idle connection. */
  isAsked = false;
  private readonly options: WorkerLinkOptions;
  private sending: Promise<void> = Promise.resolve();
  /** Why it ends, where that is known before it does. */
  private reason: ExitReason | null = null;
  private failure: string | null = null;

  constructor(options: WorkerLinkOptions) {
    const { child, wheel, clock } = options;
    this.options = options;
    this.index = options.index;
    this.pid = child.pid ?? 0;
    this.startedAt = clock.now();
    // Its exit says so, too, and says more.
    this.channel = new Channel({ end: child, nextTurn: setImmediate, onClosed: () => {} });
    this.asks = new Asks({ wheel, now: () => clock.now(), post: (message) => this.channel.post(message) });
    this.listen();
    child.on('error', (error) => this.end(null, null, error.message));
    child.on('exit', (code, signal) => this.end(code, signal, this.failure));
  }

  /** It carries nothing before it is told this. */
  async introduce(config: Config, hello: Hello): Promise<void> {
    this.sending = this.sendParts(config).then(() => this.channel.post(['hello', hello]));
    await this.sending;
  }

  /** Behind what is being sent. */
  async sendConfig(config: Config): Promise<void> {
    this.sending = this.sending.then(() => this.sendParts(config));
    await this.sending;
  }

  /** A few in a turn. */
  private async sendParts(config: Config): Promise<void> {
    const { channel } = this;
    await this.options.slices.run(
      (function* () {
        for (const part of partsOf(config)) {
          channel.post(['config', part]);
          yield;
        }
      })(),
    );
  }

  /** `isSent`: then the handle is the worker's; else it is still here, and comes back when the worker is over. */
  handOver(raw: RawClient, note: LaneNote, done: (isSent: boolean) => void): void {
    const { lane } = this.options;
    const { cid, listener, barred } = note;
    if (lane === null || raw.handle instanceof Socket) {
      this.channel.handOver(['client', cid, listener, barred], raw.handle, (error) => done(error === null));
    } else {
      // What it has to know before goes first.
      this.channel.flush();
      lane.send(noteText(note), raw.handle, done);
    }
  }

  get hasLane(): boolean {
    return this.options.lane !== null;
  }

  /** At once. */
  kill(reason: ExitReason): void {
    this.reason ??= reason;
    if (this.state !== 'over') this.options.child.kill('SIGKILL');
  }

  /** In order: it cuts what it has, and ends. */
  stop(): void {
    this.reason ??= 'stopped';
    this.channel.post(['stop']);
    this.channel.flush();
  }

  private listen(): void {
    const { channel, asks, options } = this;
    channel.on('ready', () => {
      if (this.state !== 'starting') return;
      this.state = 'ready';
      options.onReady(this);
    });
    channel.on('failed', (why) => {
      this.failure = why;
    });
    channel.on('took', (cid) => options.onTook(this, cid));
    channel.on('cut', (wasIdle) => options.onCut(this, wasIdle));
    channel.on('gone', (cid) => options.onGone(this, cid));
    channel.on('beat', (beat) => {
      this.beat = beat;
      this.silentMs = 0;
    });
    channel.on('ask', (id, name, ask) => void asks.onAsk(id, name, ask));
    channel.on('answer', (id, answer) => asks.onAnswer(id, answer));
    channel.on('no_answer', (id, why) => asks.onNoAnswer(id, why));
  }

  private end(code: number | null, signal: string | null, failure: string | null): void {
    if (this.state === 'over') return;
    this.state = 'over';
    this.channel.close();
    this.options.lane?.close();
    this.asks.close();
    const byItself = failure === null ? ('crashed' as const) : ('failed' as const);
    const reason = this.reason ?? (signal === null ? byItself : 'killed');
    this.options.onOver(this, { code, signal, reason, why: failure ?? undefined });
  }
}
