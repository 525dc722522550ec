// The checks of one target, one after the other: when the next one is due, and what those in a row say of it. It sets
// and lifts `down`, tells nobody else, and counts no session.

import { TimerEntry } from '../../limits/timer-wheel.ts';
import { Abort } from '../../net/abort.ts';
import { DialError } from '../../net/dial-error.ts';
import { unreachable } from '../../unreachable.ts';
import type { PartHost } from '../part.ts';
import { proxyPreamble } from '../proxy-preamble.ts';
import type { Target } from '../target.ts';
import { CheckError, type CheckSettings, type CheckTask } from './check.ts';
import type { CheckTurn } from './check-turns.ts';
import { httpCheck } from './http-check.ts';
import { tcpCheck } from './tcp-check.ts';
import { websocketCheck } from './websocket-check.ts';

/** First checks are spread over this, or the interval where that is shorter. */
const FIRST_WITHIN_MS = 5_000;
/** Of an interval, more or less. */
const JITTER = 0.2;

interface Verdict {
  readonly result: 'ok' | CheckError['fault'];
  readonly cause: string;
  readonly left: Promise<void>;
}

export class TargetChecks extends TimerEntry {
  private readonly host: PartHost;
  private readonly target: Target;
  private settings: CheckSettings;
  private readonly abort = new Abort();
  /** A check is under way, or waits for its turn. */
  private isRunning = false;
  private turn: CheckTurn | null = null;
  /** Good or bad ones in a row, until they have changed something. */
  private inRow = 0;
  private wasGood = true;
  private isDown = false;

  constructor(host: PartHost, target: Target, settings: CheckSettings) {
    super();
    this.host = host;
    this.target = target;
    this.settings = settings;
  }

  begin(): void {
    const { clock, random } = this.host.means;
    this.schedule(clock.now() + random() * Math.min(this.settings.interval, FIRST_WITHIN_MS));
  }

  /** What is known of it stays. */
  retune(settings: CheckSettings): void {
    this.settings = settings;
    const { clock, random } = this.host.means;
    const soon = clock.now() + random() * settings.interval;
    if (!this.isRunning && soon < this.dueAt) this.schedule(soon);
  }

  /** Nothing of it is left. What it knew stays with the target. */
  stop(): void {
    this.host.means.wheel.cancel(this);
    this.abort.abort();
    // One that is under way leaves when its connection has.
    if (this.turn?.state === 'waiting') this.leaveTurn();
  }

  /** It is not checked any more, so nobody says that it is down. */
  forget(): void {
    this.stop();
    this.target.lastCheck = null;
    if (this.isDown) this.target.lift('down', this.host.means.clock.now());
  }

  override onTimer(): void {
    this.isRunning = true;
    this.turn = this.host.means.checkTurns.take(() => this.begun());
  }

  private begun(): void {
    this.run(this.host.means.clock.now())
      .catch((error: unknown) => this.onFault(error))
      .finally(() => this.leaveTurn());
  }

  private leaveTurn(): void {
    this.isRunning = false;
    const { turn } = this;
    this.turn = null;
    if (turn !== null) this.host.means.checkTurns.leave(turn);
  }

  private async run(startedAt: number): Promise<void> {
    const { clock, random } = this.host.means;
    const { timeout } = this.settings;
    const { result, cause, left } = await this.check(startedAt + timeout);
    const now = clock.now();
    if (this.abort.aborted) return;
    this.take({ result, cause, at: now, ms: now - startedAt });
    await left;
    const { interval } = this.settings;
    const next = startedAt + interval * (1 + (2 * random() - 1) * JITTER);
    if (!this.abort.aborted) this.schedule(Math.max(next, clock.now()));
  }

  /** Of our own: it says nothing of the target, which is checked again. */
  private onFault(error: unknown): void {
    const { host, target, settings } = this;
    const { log, clock } = host.means;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log.event('error', 'check.fault', { upstream: host.name, target: target.name, error: stack });
    if (!this.abort.aborted) this.schedule(clock.now() + settings.interval);
  }

  private async check(deadline: number): Promise<Verdict> {
    const { host, target, settings, abort } = this;
    const { clock, wheel, dialer } = host.means;
    const task: CheckTask = { clock, wheel, host, target, deadline, signal: abort };
    try {
      const transport = await target.reach.connect({
        dialer,
        tls: host.config.tls,
        nextLocalAddress: () => host.nextLocalAddress(),
        preamble: proxyPreamble(host.config, null),
        timeoutMs: deadline - clock.now(),
        signal: abort,
      });
      const { left } = await checkOf(settings)(task, settings, transport);
      return { result: 'ok', cause: '', left };
    } catch (error) {
      if (error instanceof CheckError) return { result: error.fault, cause: error.message, left: error.left };
      if (error instanceof DialError) return { result: error.code, cause: error.cause_code, left: NOTHING_LEFT };
      throw error;
    }
  }

  private take(last: { readonly result: Verdict['result']; cause: string; at: number; ms: number }): void {
    const { host, target, settings } = this;
    const { result, at, ms } = last;
    host.means.metrics.target(host.name, target.name).check(result, ms / 1000);
    target.lastCheck = last;
    // Our own shortage says nothing of it.
    if (result === 'no_descriptor' || result === 'no_local_port') return;
    const isGood = result === 'ok';
    this.inRow = isGood === this.wasGood ? this.inRow + 1 : 1;
    this.wasGood = isGood;
    if (this.isDown !== isGood || this.inRow < (isGood ? settings.rise : settings.fall)) return;
    this.isDown = !isGood;
    if (isGood) {
      target.lift('down', at);
      return;
    }
    target.bar('down', 'check', at);
    host.onDown(target);
  }

  private schedule(at: number): void {
    this.host.means.wheel.schedule(this, at);
  }
}

const NOTHING_LEFT = Promise.resolve();

function checkOf({ type }: CheckSettings) {
  switch (type) {
    case 'tcp':
      return tcpCheck;
    case 'http':
      return httpCheck;
    case 'websocket':
      return websocketCheck;
    default:
      return unreachable(type);
  }
}
