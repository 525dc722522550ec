// Moves sessions off the target that holds the most, by closing a few of them at a time, while it holds more than its
// share. It knows no session: it asks for the youngest, and where their clients go next is for the policy.

import { isDeepStrictEqual } from 'node:util';
import type { UpstreamConfig } from '../config/types.ts';
import { Alarm } from '../limits/timer-wheel.ts';
import type { MovableSession, PartHost, UpstreamPart } from './part.ts';
import { Shares } from './shares.ts';
import type { Target } from './target.ts';

/** How often it looks whether all targets are up; before each close it looks too. */
const LOOK_MS = 1_000;
/** With a large share of many sessions more may be due at once; they wait for the next tick. */
const CLOSES_PER_TURN = 200;
/** What a product of doubles may be off. */
const ROUNDING = 1e-9;

type Settings = Exclude<UpstreamConfig['rebalance'], 'off'>;

/** Sessions of one target that are being closed. */
interface Step {
  readonly from: Target;
  /** The next one to close is `sessions[at]`. */
  readonly sessions: readonly MovableSession[];
  at: number;
  readonly startedAt: number;
  readonly gapMs: number;
}

/** From the first close until nothing is left to do, or nothing may be done. */
interface Episode {
  readonly startedAt: number;
  closed: number;
}

type EndWhy = 'even' | 'standstill' | 'none_to_move' | 'off';

export class Rebalance implements UpstreamPart {
  private readonly host: PartHost;
  private settings: Settings | null = null;
  private known: readonly Target[] = [];
  /** Those that have left and drain; each leaves when it is empty. */
  private readonly leaving = new Set<Target>();
  /** When a target was last seen down, draining or starting slowly. */
  private unsettledAt = Number.NEGATIVE_INFINITY;
  private steppedAt = Number.NEGATIVE_INFINITY;
  /** What is under way is asked for or done for this one; a later one makes it void. */
  private turn = 0;
  private isAsking = false;
  private step: Step | null = null;
  private episode: Episode | null = null;
  private readonly looks = new Alarm((now) => this.look(now));
  private readonly closes = new Alarm((now) => this.closeDue(now));

  constructor(host: PartHost) {
    this.host = host;
  }

  update(): void {
    const { config, targets, means } = this.host;
    const now = means.clock.now();
    for (const target of this.known) if (!targets.includes(target)) this.noteLeft(target, now);
    this.known = targets;
    const settings = config.rebalance === 'off' ? null : config.rebalance;
    if (!isDeepStrictEqual(settings, this.settings)) {
      this.settings = settings;
      this.halt();
    }
    if (settings === null) this.rest(now);
    else this.look(now);
  }

  stop(): void {
    this.rest(this.host.means.clock.now());
  }

  private rest(now: number): void {
    this.halt();
    this.endEpisode('off', now);
    this.host.means.wheel.cancel(this.looks);
  }

  private halt(): void {
    this.turn += 1;
    this.isAsking = false;
    this.step = null;
    this.host.means.wheel.cancel(this.closes);
  }

  private noteLeft(target: Target, now: number): void {
    const { on_gone, drain } = this.host.config;
    this.unsettledAt = now;
    // Sessions that are left alone may stay for ever.
    if (on_gone === 'drain' && drain.mode === 'close') this.leaving.add(target);
  }

  private look(now: number): void {
    const { settings } = this;
    if (settings === null) return;
    this.host.means.wheel.schedule(this.looks, now + LOOK_MS);
    if (!this.isSettled(settings, now)) {
      this.halt();
      this.endEpisode('standstill', now);
    } else if (this.step === null && !this.isAsking) {
      this.begin(settings, now);
    }
  }

  /** All targets are up at full weight, and have been for `every`. */
  private isSettled({ every }: Settings, now: number): boolean {
    for (const target of this.host.targets) {
      const { isUp, stateMs } = target.status(now);
      // One whose dials fail takes nobody, whether somebody has ejected it or not.
      if (!isUp || target.ramp < 1) this.unsettledAt = now;
      if (stateMs !== null) this.unsettledAt = Math.max(this.unsettledAt, now - stateMs);
    }
    for (const target of this.leaving) {
      if (target.sessions === 0) this.leaving.delete(target);
      else this.unsettledAt = now;
    }
    return now - this.unsettledAt >= every;
  }

  private begin(settings: Settings, now: number): void {
    const shares = new Shares(this.host.targets);
    const from = shares.fullestAbove(settings.tolerance);
    if (from === null) {
      this.endEpisode('even', now);
      return;
    }
    const allowed = from.sessionsOpen * settings.share;
    // Of few sessions the share may be a part of one: then one is closed, more rarely.
    const steps = allowed >= 1 ? 1 : Math.ceil(1 / allowed - ROUNDING);
    if (!Number.isFinite(steps) || now - this.steppedAt < steps * settings.every) return;
    this.steppedAt = now;
    const above = Math.ceil(shares.aboveOf(from, settings.tolerance));
    const count = Math.min(Math.max(1, Math.floor(allowed + ROUNDING)), above, shares.room);
    if (count >= 1) this.ask(from, count, settings, now);
    else this.endEpisode('none_to_move', now);
  }

  private ask(from: Target, count: number, { min_age }: Settings, now: number): void {
    const { turn } = this;
    this.isAsking = true;
    const asked = this.host.youngestOn(from, { count, startedBefore: now - min_age });
    void asked.then((sessions) => this.found(turn, from, sessions));
  }

  private found(turn: number, from: Target, sessions: readonly MovableSession[]): void {
    const { settings } = this;
    if (turn !== this.turn || settings === null) return;
    const now = this.host.means.clock.now();
    this.isAsking = false;
    if (sessions.length === 0) {
      this.endEpisode('none_to_move', now);
      return;
    }
    this.step = { from, sessions, at: 0, startedAt: now, gapMs: settings.every / sessions.length };
    this.closeDue(now);
  }

  /** Evenly over `every`, the first at once. */
  private closeDue(now: number): void {
    const { settings, step } = this;
    if (settings === null || step === null) return;
    const { sessions, startedAt, gapMs } = step;
    const isDue = () => step.at < sessions.length && startedAt + step.at * gapMs <= now;
    if (!this.isSettled(settings, now)) this.halt();
    for (let left = CLOSES_PER_TURN; left > 0 && this.step === step && isDue(); left -= 1) {
      this.closeNext(step, settings, now);
    }
    if (this.step !== step) return;
    if (step.at < sessions.length) this.host.means.wheel.schedule(this.closes, startedAt + step.at * gapMs);
    else this.step = null;
  }

  private closeNext(step: Step, { tolerance }: Settings, now: number): void {
    const { from, sessions } = step;
    const shares = new Shares(this.host.targets);
    if (shares.room === 0 || shares.aboveOf(from, tolerance) === 0) {
      this.halt();
      return;
    }
    const session = sessions[step.at];
    step.at += 1;
    const held = from.sessionsOpen;
    if (session?.move() !== true) return;
    this.host.means.metrics.upstream(this.host.name).rebalanceCloses += 1;
    this.episode ??= this.beginEpisode(from, held, Math.round(shares.fairOf(from)), now);
    this.episode.closed += 1;
  }

  private beginEpisode(from: Target, sessions: number, fair: number, now: number): Episode {
    const { means, name } = this.host;
    means.log.event('info', 'rebalance.begin', { upstream: name, target: from.name, sessions, fair_share: fair });
    return { startedAt: now, closed: 0 };
  }

  private endEpisode(why: EndWhy, now: number): void {
    const { episode } = this;
    if (episode === null) return;
    this.episode = null;
    const ms = Math.round(now - episode.startedAt);
    const { means, name } = this.host;
    means.log.event('info', 'rebalance.end', { upstream: name, why, closed: episode.closed, ms });
  }
}
