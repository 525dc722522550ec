// One backend address of an upstream: what is configured, what is counted, and whether new sessions may go to it. It
// dials nothing; whoever opens a session to it takes a slot and gives it back exactly once.

import assert from 'node:assert/strict';
import type { Endpoint, TargetConfig, UpstreamConfig } from '../config/types.ts';
import { DialRecord } from './dial-record.ts';
import { type Reach, reachOf } from './reach.ts';
import type { TargetWatch } from './target-watch.ts';
import { BARS, type Bar, type BarWhy, type TargetState } from './target-words.ts';

/** When new sessions may go to a target; in panic all count as up. Numbers: a pick compares a thousand of them. */
const Open = { Never: 0, InPanic: 1, Always: 2 } as const;
type Open = (typeof Open)[keyof typeof Open];

/** A target as it is seen from outside. */
interface TargetStatus {
  readonly state: TargetState;
  /** As far as is known new sessions may go to it. */
  readonly isUp: boolean;
  /** Why it is not up; null while it is, or while only its dials fail. */
  readonly why: BarWhy | null;
  /** Since it is up, or is not; null when it has been as it is from the beginning. */
  readonly stateMs: number | null;
  /** Since the first failed dial after the last that succeeded; null while none has failed. */
  readonly failingMs: number | null;
}

/** What a check of a target came to. */
export interface LastCheck {
  /** `ok`, or what failed. */
  readonly result: string;
  /** More of it, for people; '' when there is no more. */
  readonly cause: string;
  /** When it was decided, in milliseconds of the clock of deadlines, and what it took. */
  readonly at: number;
  readonly ms: number;
}

/** Told when a target has come up or is up no longer. */
export type TargetTold = (target: Target, isUp: boolean, why: BarWhy) => void;

/** What a slot of a target is used for. `ending`: by a session that has a cause to end. */
export type SlotUse = 'handshake' | 'session' | 'ending' | 'request';

/** What of its upstream's config a target goes by. */
export type TargetSettings = Pick<UpstreamConfig, 'host' | 'max_handshakes_per_target'>;

export class Target {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly reach: Reach;
  /** As the config has it, for people: `***` when it came from a file. */
  url: string;
  weight: number;
  /** Gets sessions while no other can take one. */
  isBackup: boolean;
  /** The kind of source that lists it. */
  source = 'config';
  /** Infinity for no limit. */
  sessionsMax: number;
  // What a pick reads of each target stands together: of a thousand they are not all in the nearest cache.
  /** It may have a session: kept up to date by `updateOpen`. */
  private open: Open = Open.Always;
  /** The weight that counts now. */
  weightNow: number;
  /** Slots taken: sessions, requests, and whatever dials this target now. None is taken at `sessionsMax`. */
  sessions = 0;
  /** Those of them that are no sessions yet, and no requests. */
  handshakes = 0;
  /** Those of them that are requests without upgrade, from their connection to the end of their answer. */
  requests = 0;
  /** Those of them that are sessions with a cause to end. */
  ending = 0;
  /** Slots ever taken. */
  sessionsTotal = 0;
  readonly dials = new DialRecord();
  /** Null while it was not checked. */
  lastCheck: LastCheck | null = null;
  /** It is ejected, and its time is over: one session may try. */
  isTrialDue = false;
  /** Sessions that tried so far, the present one among them: the number of the last. */
  trials = 0;
  /** Told what comes of its sessions; null while nobody judges by them. */
  watch: TargetWatch | null = null;
  /** Called when it may take a session that it could not take before. */
  onRoom: (() => void) | null = null;
  /** Called when somebody has begun or ceased to keep sessions from it. */
  onBars: (() => void) | null = null;
  private readonly told: TargetTold;
  private readonly bars = new Map<Bar, BarWhy>();
  private share = 1;
  private hasLeft = false;
  private keepsOn = false;
  private changedAt: number | null = null;
  private handshakesMax: number;
  private host: UpstreamConfig['host'];

  constructor(config: TargetConfig, settings: TargetSettings, told: TargetTold) {
    this.name = config.name;
    this.endpoint = config.endpoint;
    this.reach = reachOf(config.endpoint);
    this.url = config.url;
    this.weight = config.weight;
    this.weightNow = config.weight;
    this.isBackup = config.backup;
    this.sessionsMax = config.max_sessions;
    this.host = settings.host;
    this.handshakesMax = settings.max_handshakes_per_target;
    this.told = told;
  }

  /** Of its weight so much counts now: from above 0 to 1, which it is but while it starts slowly. */
  get ramp(): number {
    return this.share;
  }

  set ramp(share: number) {
    this.share = share;
    this.weightNow = this.weight * share;
  }

  /** Sessions that are not ending. */
  get sessionsOpen(): number {
    return this.sessions - this.handshakes - this.requests - this.ending;
  }

  get hasRoom(): boolean {
    return this.sessions < this.sessionsMax && this.handshakes < this.handshakesMax;
  }

  /** How many sessions it would take now. */
  roomNow(inPanic: boolean): number {
    if (!this.isOpen(inPanic)) return 0;
    const room = Math.min(this.sessionsMax - this.sessions, this.handshakesMax - this.handshakes);
    // Of a trial there is one.
    return this.bars.size > 0 && !inPanic ? Math.min(room, 1) : room;
  }

  /** Somebody keeps new sessions from it. */
  get isBarred(): boolean {
    return this.bars.size > 0;
  }

  /** A new session may go to it. `inPanic`: as if nobody had found it down. */
  isOpen(inPanic: boolean): boolean {
    return this.open >= (inPanic ? Open.InPanic : Open.Always);
  }

  /** After each change of what it goes by. */
  private updateOpen(): void {
    if (!this.hasRoom || !this.takes(true)) this.open = Open.Never;
    else this.open = this.takes(false) ? Open.Always : Open.InPanic;
  }

  /** The same, as if there were room. */
  takes(inPanic: boolean): boolean {
    if (this.bars.size === 0) return true;
    if (this.bars.has('draining')) return false;
    return inPanic || (this.isTrialDue && this.bars.size === 1 && this.bars.has('ejected'));
  }

  /** It takes no new sessions until it is undrained. */
  get draining(): boolean {
    return this.bars.has('draining');
  }

  has(bar: Bar): boolean {
    return this.bars.has(bar);
  }

  /** Idempotent. */
  bar(bar: Bar, why: BarWhy, now: number): void {
    if (this.bars.has(bar)) return;
    const wasUp = this.bars.size === 0;
    this.bars.set(bar, why);
    this.updateOpen();
    this.onBars?.();
    if (wasUp) this.tell(false, why, now);
  }

  /** Idempotent. */
  lift(bar: Bar, now: number): void {
    const why = this.bars.get(bar);
    if (why === undefined) return;
    this.bars.delete(bar);
    if (bar === 'ejected') this.isTrialDue = false;
    this.updateOpen();
    this.onBars?.();
    if (this.bars.size === 0) this.tell(true, why, now);
    this.onRoom?.();
  }

  /** It stays ejected, and the next session is a trial. */
  offerTrial(): void {
    this.isTrialDue = true;
    this.updateOpen();
    this.onRoom?.();
  }

  private tell(isUp: boolean, why: BarWhy, now: number): void {
    this.changedAt = now;
    this.told(this, isUp, why);
  }

  /** Its upstream has it no longer. */
  get gone(): boolean {
    return this.hasLeft;
  }

  /** It is gone, and the sessions on it stay. */
  get keepsSessions(): boolean {
    return this.hasLeft && this.keepsOn;
  }

  /** `keeps`: the sessions that it has stay. */
  leave(keeps: boolean): void {
    this.hasLeft = true;
    this.keepsOn = keeps;
  }

  /** It is back, and what was found out about it before is long ago; what an operator said stands. */
  comeBack(now: number): void {
    this.hasLeft = false;
    if (this.isBarred && !this.draining) this.changedAt = now;
    for (const bar of this.bars.keys()) if (bar !== 'draining') this.bars.delete(bar);
    this.isTrialDue = false;
    this.ramp = 1;
  }

  status(now: number): TargetStatus {
    const { failingSince } = this.dials;
    const bar = BARS.find((one) => this.bars.has(one));
    const state = this.hasLeft ? 'gone' : bar;
    return {
      state: state ?? (failingSince === null ? 'up' : 'failing'),
      isUp: state === undefined && !this.dials.isDown(now),
      why: bar === undefined ? null : (this.bars.get(bar) ?? null),
      stateMs: this.changedAt === null ? null : Math.round(now - this.changedAt),
      failingMs: failingSince === null ? null : Math.round(now - failingSince),
    };
  }

  /** A new config of the same name and endpoint: what is counted stays. */
  reconfigure(config: TargetConfig, settings: TargetSettings): void {
    this.url = config.url;
    this.weight = config.weight;
    this.weightNow = config.weight * this.share;
    this.isBackup = config.backup;
    this.sessionsMax = config.max_sessions;
    this.retune(settings);
  }

  /** A new config of its upstream. */
  retune(settings: TargetSettings): void {
    this.host = settings.host;
    this.handshakesMax = settings.max_handshakes_per_target;
    this.updateOpen();
  }

  /** For a handshake. The number of the trial that it is, 0 for none. */
  acquire(): number {
    assert(this.hasRoom, 'a full target is not picked');
    this.sessions += 1;
    this.handshakes += 1;
    this.sessionsTotal += 1;
    const isTrial = this.isTrialDue;
    this.isTrialDue = false;
    this.updateOpen();
    if (!isTrial) return 0;
    this.trials += 1;
    return this.trials;
  }

  /** What was taken for a handshake is a session's, or that of a request. */
  promote(use: 'session' | 'request'): void {
    assert(this.handshakes > 0, 'a handshake becomes something else once');
    this.handshakes -= 1;
    if (use === 'request') this.requests += 1;
    this.updateOpen();
    if (this.handshakes + 1 === this.handshakesMax) this.onRoom?.();
  }

  /** A session on it has a cause to end. */
  beginEnd(): void {
    this.ending += 1;
  }

  /** `use`: what the slot was in the end. */
  release(use: SlotUse): void {
    assert(this.sessions > 0, 'a slot is given back once');
    this.sessions -= 1;
    if (use === 'handshake') this.handshakes -= 1;
    else if (use === 'request') this.requests -= 1;
    else if (use === 'ending') this.ending -= 1;
    this.updateOpen();
    this.onRoom?.();
  }

  /** The Host field of requests to this target; `clientHost` is the client's, as sent. */
  hostField(clientHost: string): string {
    if (this.host === 'client') return clientHost;
    return this.host === 'target' ? this.reach.authority : this.host.literal;
  }
}
