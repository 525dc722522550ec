// One backend address of an upstream: what is configured, what is counted, and whether new sessions may go to it. It
// dials nothing; whoever opens a session to it takes a slot and gives it back exactly once.

import assert from 'node:assert/strict';
import type { Endpoint, TargetConfig, UpstreamConfig } from '../config/types.ts';
import { DialRecord } from './dial-record.ts';
import { type Reach, reachOf } from './reach.ts';

/**
 * What keeps new sessions from a target, the gravest first. Each has one who sets and lifts it; whoever finds that
 * a target is down has a word of its own here. What picks a target knows none of them. To be gone is none: it is in no
 * list to be picked from then, but for those handshakes that its upstream has left behind.
 */
const BARS = ['draining'] as const;
type Bar = (typeof BARS)[number];

/** `failing` keeps nobody away: the last dial failed. */
export type TargetState = 'up' | 'failing' | Bar;

/** A target as it is seen from outside. */
interface TargetStatus {
  readonly state: TargetState;
  /** As far as is known new sessions may go to it. */
  readonly isUp: boolean;
  /** Since the first failed dial after the last that succeeded; null while none has failed. */
  readonly failingMs: number | null;
}

export class Target {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly reach: Reach;
  /** As the config has it, for people: `***` when it came from a file. */
  url: string;
  weight: number;
  /** Infinity for no limit. */
  sessionsMax: number;
  /** Slots taken: open sessions and handshakes that dial this target now. None is taken at `sessionsMax`. */
  sessions = 0;
  /** Slots ever taken. */
  sessionsTotal = 0;
  readonly dials = new DialRecord();
  private readonly bars = new Set<Bar>();
  private hasLeft = false;
  private host: UpstreamConfig['host'];

  constructor(config: TargetConfig, host: UpstreamConfig['host']) {
    this.name = config.name;
    this.endpoint = config.endpoint;
    this.reach = reachOf(config.endpoint);
    this.url = config.url;
    this.weight = config.weight;
    this.sessionsMax = config.max_sessions;
    this.host = host;
  }

  /** A new session may go to it. */
  get available(): boolean {
    return this.bars.size === 0 && this.sessions < this.sessionsMax;
  }

  /** It takes no new sessions until it is undrained. */
  get draining(): boolean {
    return this.bars.has('draining');
  }

  set draining(isDraining: boolean) {
    if (isDraining) this.bars.add('draining');
    else this.bars.delete('draining');
  }

  /** Its upstream has it no longer, and never has it again. */
  get gone(): boolean {
    return this.hasLeft;
  }

  leave(): void {
    this.hasLeft = true;
  }

  status(now: number): TargetStatus {
    const { failingSince } = this.dials;
    const bar = BARS.find((one) => this.bars.has(one));
    return {
      state: bar ?? (failingSince === null ? 'up' : 'failing'),
      isUp: bar === undefined && !this.dials.isDown(now),
      failingMs: failingSince === null ? null : Math.round(now - failingSince),
    };
  }

  /** A new config of the same name and endpoint: what is counted stays. */
  reconfigure(config: TargetConfig, host: UpstreamConfig['host']): void {
    this.url = config.url;
    this.weight = config.weight;
    this.sessionsMax = config.max_sessions;
    this.host = host;
  }

  acquire(): void {
    assert(this.available, 'a full target is not picked');
    this.sessions += 1;
    this.sessionsTotal += 1;
  }

  release(): void {
    assert(this.sessions > 0, 'a slot is given back once');
    this.sessions -= 1;
  }

  /** The Host field of requests to this target; `clientHost` is the client's, as sent. */
  hostField(clientHost: string): string {
    if (this.host === 'client') return clientHost;
    return this.host === 'target' ? this.reach.authority : this.host.literal;
  }
}
