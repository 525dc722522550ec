// The end of a connection that has served: FIN, and what still comes is read and dropped until the peer's FIN, so that
// it sees an orderly end and no reset. It is bounded in time and bytes.

import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import type { AbortLike } from './abort.ts';
import type { Transport, TransportReader } from './transport.ts';

const LEAVE_MS = 1_000;
const LEAVE_BYTES = 262_144;

interface LeavingOptions {
  readonly transport: Transport;
  readonly wheel: TimerWheel;
  readonly now: number;
  readonly signal: AbortLike;
  /** Our FIN waits for that of the peer, as long as there is time (RFC 6455 7.1.1). */
  readonly afterPeer: boolean;
}

/** Resolves when the transport is destroyed. */
export function leave(options: LeavingOptions): Promise<void> {
  return new Promise((resolve) => new Leaving(options, resolve).begin());
}

class Leaving implements TransportReader {
  private readonly options: LeavingOptions;
  private readonly resolve: () => void;
  private readonly alarm = new Alarm(() => this.onLate());
  private readonly onAbort = () => this.over();
  private bytesLeft = LEAVE_BYTES;
  private hasEnded = false;
  private isPeerGone = false;

  constructor(options: LeavingOptions, resolve: () => void) {
    this.options = options;
    this.resolve = resolve;
  }

  begin(): void {
    const { transport, wheel, now, signal, afterPeer } = this.options;
    if (signal.aborted || transport.destroyed) {
      this.over();
      return;
    }
    signal.addEventListener('abort', this.onAbort);
    wheel.schedule(this.alarm, now + LEAVE_MS);
    transport.reader = this;
    if (!afterPeer) this.end();
    transport.resume();
  }

  onBytes(_bytes: Buffer, start: number, end: number): void {
    this.bytesLeft -= end - start;
    if (this.bytesLeft < 0) this.over();
  }

  onEnd(): void {
    this.isPeerGone = true;
    this.end();
    if (this.options.transport.pending === 0) this.over();
  }

  onLost(): void {
    this.over();
  }

  onTaken(): void {
    if (this.isPeerGone && this.options.transport.pending === 0) this.over();
  }

  private onLate(): void {
    this.end();
    this.over();
  }

  private end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.options.transport.end();
  }

  private over(): void {
    const { transport, wheel, signal } = this.options;
    wheel.cancel(this.alarm);
    signal.removeEventListener('abort', this.onAbort);
    transport.destroy();
    this.resolve();
  }
}
