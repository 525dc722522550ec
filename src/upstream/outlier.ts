// Ejects targets by what their sessions meet, for a while, and lets one session try before others follow. It looks at
// what it is told only: it dials nothing, and never takes the last target away.

import { Alarm } from '../limits/timer-wheel.ts';
import { clientKeyOf } from '../protocol/addresses/client-key.ts';
import type { PartHost, UpstreamPart } from './part.ts';
import type { Target } from './target.ts';
import type { TargetWatch } from './target-watch.ts';

/** Clients whose failures of one target are known as counted; beyond it the longest known counts again. */
const CLIENTS_MAX = 4_096;

/** Trials of which nothing was learned but that they opened, before they count; as many as `failures` at least. */
const OPENED_MIN = 3;
/** 29 % of 100 are 29, and not 28.999... */
const ROUNDING = 1e-9;

type PassiveSettings = Exclude<PartHost['config']['health']['passive'], 'off'>;

export class OutlierPart implements UpstreamPart {
  private readonly host: PartHost;
  /** One for each target, while ejection is on. */
  private records = new Map<Target, OutlierRecord>();

  constructor(host: PartHost) {
    this.host = host;
  }

  update(): void {
    const { passive } = this.host.config.health;
    const before = this.records;
    this.records = new Map();
    for (const target of passive === 'off' ? [] : this.host.targets) {
      this.records.set(target, before.get(target) ?? new OutlierRecord(this, this.host, target));
    }
    for (const [target, record] of before) if (!this.records.has(target)) record.end();
    this.returnSurplus();
  }

  stop(): void {
    for (const record of this.records.values()) record.rest();
    this.records = new Map();
  }

  get settings(): PassiveSettings {
    const { passive } = this.host.config.health;
    if (passive === 'off') throw new Error('without settings nobody is watched');
    return passive;
  }

  /** Whether one more may be ejected. */
  get mayEject(): boolean {
    let out = 0;
    for (const record of this.records.values()) if (record.isOut) out += 1;
    return out < this.ejectedMax;
  }

  /** The share of the targets, rounded down; whatever it is, one stays. */
  private get ejectedMax(): number {
    const { length } = this.host.targets;
    return Math.max(0, Math.min(length - 1, Math.floor(length * this.settings.max_ejected + ROUNDING)));
  }

  /** Others are gone, or fewer may be ejected: the ones that are nearest to their return are back. */
  private returnSurplus(): void {
    if (this.records.size === 0) return;
    const out = [...this.records.values()].filter(({ isOut }) => isOut).sort((a, b) => a.until - b.until);
    for (const record of out.slice(0, Math.max(0, out.length - this.ejectedMax))) record.returnNow();
  }
}

/**
 * One target: the failures of the last `window` while sessions go there, then since when and until when none does, then
 * the one session that tries.
 */
class OutlierRecord implements TargetWatch {
  /** While it is ejected the end of that; its trial is due from then on. */
  until = Number.NEGATIVE_INFINITY;
  private readonly part: OutlierPart;
  private readonly host: PartHost;
  private readonly target: Target;
  private readonly alarm = new Alarm(() => this.onAlarm());
  /** When, the oldest first: at most `failures` of them. */
  private times: number[] = [];
  /** When a failure of a client counted last, the longest known first. */
  private clients = new Map<string, number>();
  private state: 'in' | 'out' | 'trial' | 'living' = 'in';
  /** Ejections since it worked last. */
  private inARow = 0;
  /** Trials since the last ejection that opened, and whose clients left early. */
  private openedTrials = 0;

  constructor(part: OutlierPart, host: PartHost, target: Target) {
    this.part = part;
    this.host = host;
    this.target = target;
    target.watch = this;
  }

  get failures(): number {
    const { window } = this.part.settings;
    const { now } = this;
    return this.times.filter((time) => now - time < window).length;
  }

  get isOut(): boolean {
    return this.state !== 'in';
  }

  /** It is watched no more, and no ejection of ours is left on it. */
  end(): void {
    this.rest();
    // One that is gone is not up because of that; should it come back, that is forgotten.
    if (!this.target.gone) this.target.lift('ejected', this.now);
  }

  /** Nothing of it runs on; its target stays what it is. */
  rest(): void {
    this.host.means.wheel.cancel(this.alarm);
    if (this.target.watch === this) this.target.watch = null;
  }

  /** As if its trial had gone well. */
  returnNow(): void {
    this.state = 'in';
    this.inARow = 0;
    this.times = [];
    this.clients.clear();
    this.host.means.wheel.cancel(this.alarm);
    this.target.lift('ejected', this.now);
  }

  dialFailed(trial: number): void {
    if (this.state === 'in') this.note(this.now);
    else if (this.isTrial(trial)) this.eject();
  }

  answeredBadly(client: string, trial: number): void {
    if (this.state === 'in') this.noteFrom(client);
    else if (this.isTrial(trial)) this.eject();
  }

  answeredWell(trial: number): void {
    if (this.isTrial(trial)) this.returnNow();
  }

  sessionBegan(trial: number): void {
    if (!this.isTrial(trial)) return;
    this.state = 'living';
    this.host.means.wheel.schedule(this.alarm, this.now + this.part.settings.early_death);
  }

  sessionEnding(client: string, livedMs: number, isLost: boolean, trial: number): void {
    const isEarly = livedMs < this.part.settings.early_death;
    if (isLost && isEarly) this.answeredBadly(client, trial);
    else if (!this.isTrial(trial)) return;
    else if (isEarly) this.host.means.wheel.cancel(this.alarm);
    else this.returnNow();
  }

  sessionEnded(isWell: boolean, trial: number): void {
    if (isWell && this.isTrial(trial)) this.returnNow();
  }

  left(trial: number): void {
    if (!this.isTrial(trial)) return;
    this.host.means.wheel.cancel(this.alarm);
    if (this.state === 'living') this.openedTrials += 1;
    // Of one that leaves nothing is learned; but where all sessions are short none would ever decide.
    if (this.openedTrials >= Math.max(OPENED_MIN, this.part.settings.failures)) this.returnNow();
    else this.offerTrial();
  }

  /** One that was begun before its target was ejected anew is not. */
  private isTrial(trial: number): boolean {
    const isOn = this.state === 'living' || this.state === 'trial';
    return isOn && !this.target.isTrialDue && trial !== 0 && trial === this.target.trials;
  }

  /** Once for each client and window: one client may not eject a target. */
  private noteFrom(client: string): void {
    const { now } = this;
    const key = clientKeyOf(client) ?? client;
    const countedAt = this.clients.get(key);
    if (countedAt !== undefined && now - countedAt < this.part.settings.window) return;
    this.clients.delete(key);
    this.clients.set(key, now);
    if (this.clients.size > CLIENTS_MAX) this.forgetClient();
    this.note(now);
  }

  private forgetClient(): void {
    for (const oldest of this.clients.keys()) {
      this.clients.delete(oldest);
      return;
    }
  }

  private note(now: number): void {
    const { failures, window } = this.part.settings;
    this.times.push(now);
    while (this.times.length > failures || now - (this.times[0] ?? now) >= window) this.times.shift();
    if (this.times.length === failures && this.part.mayEject) this.eject();
  }

  private eject(): void {
    const { means, name } = this.host;
    const { eject, eject_max } = this.part.settings;
    const { now } = this;
    this.until = now + Math.min(eject * 2 ** this.inARow, eject_max);
    this.state = 'out';
    this.inARow += 1;
    this.openedTrials = 0;
    this.times = [];
    this.clients.clear();
    means.wheel.schedule(this.alarm, this.until);
    means.metrics.target(name, this.target.name).ejections += 1;
    this.target.bar('ejected', 'passive', now);
  }

  private onAlarm(): void {
    if (this.state === 'out') this.offerTrial();
    // The trial has lived for long enough.
    else if (this.state === 'living') this.returnNow();
  }

  private offerTrial(): void {
    this.state = 'trial';
    this.target.offerTrial();
  }

  private get now(): number {
    return this.host.means.clock.now();
  }
}
