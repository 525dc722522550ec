// Whether one side is read: not while the other one is too slow, nor until it has paid for what it sent too fast. The
// only place that pauses a session's transports. Every pause has a deadline: write_stall, or the time of the debt.

import type { Transport } from '../net/transport.ts';
import type { Traffic } from './traffic.ts';

/** What a gate stops. */
export interface GatedRelay {
  /** Whose bytes are read. */
  readonly transport: Transport;
  readonly traffic: Traffic;
  /** To whom they go has taken so much that more may follow. */
  readonly sinkIsLow: boolean;
  lastByteAt: number;
  onResumed(now: number): void;
}

export class ReadGate {
  /** How often it was closed. */
  pauses = 0;
  /** While not 0, nothing is read until then. */
  heldUntil = 0;
  /** Not the same as a paused transport: that is one before the session starts, too. */
  isClosed = false;
  private readonly relay: GatedRelay;

  constructor(relay: GatedRelay) {
    this.relay = relay;
  }

  /** The other side has as much waiting as it may. */
  close(now: number): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.relay.transport.pause();
    this.pauses += 1;
    this.relay.traffic.notePause(now);
  }

  /** A debt is paid at `until`. Whoever asks for it sees to it that `open` is called then. */
  holdUntil(until: number, now: number): void {
    this.heldUntil = until;
    this.close(now);
  }

  /** Its session ends: no debt is paid any more, or what it still says, a Close at last, would not be heard in time. */
  release(now: number): void {
    if (this.heldUntil === 0) return;
    this.heldUntil = now;
    this.open(now);
  }

  /** Read again, if nothing else is in the way. The clocks that stood still go on from now. */
  open(now: number): void {
    const { relay } = this;
    if (!this.isClosed || this.heldUntil > now) return;
    if (this.heldUntil > 0) relay.lastByteAt = now;
    this.heldUntil = 0;
    if (!relay.sinkIsLow) return;
    this.isClosed = false;
    relay.traffic.noteResume(now);
    relay.transport.resume();
    relay.onResumed(now);
  }

  /** Read whatever comes, since nothing of it goes on any more. */
  readOn(now: number): void {
    const { relay } = this;
    this.heldUntil = 0;
    if (this.isClosed) relay.traffic.noteResume(now);
    this.isClosed = false;
    relay.transport.resume();
  }
}
