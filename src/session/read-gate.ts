// Whether one peer is read: not while the other one is too slow, nor until it has paid for what it sent too fast. The
// only place that pauses a session's transports. Every pause has a deadline: write_stall, or the time of the debt.

import type { End } from './end.ts';
import type { Traffic } from './traffic.ts';

export class ReadGate {
  /** How often it was closed. */
  pauses = 0;
  /** While not 0, the peer is not read until then. */
  heldUntil = 0;
  /** Not the same as a paused transport: that is one before the session starts, too. */
  isClosed = false;
  private readonly peer: End;
  private readonly traffic: Traffic;

  constructor(peer: End, traffic: Traffic) {
    this.peer = peer;
    this.traffic = traffic;
  }

  /** The other peer has as much waiting as it may. */
  close(now: number): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.peer.transport.pause();
    this.pauses += 1;
    this.traffic.notePause(now);
  }

  /** A debt is paid at `until`. */
  holdUntil(until: number, now: number): void {
    this.heldUntil = until;
    this.peer.session.arm(until);
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
    const { peer } = this;
    if (!this.isClosed || this.heldUntil > now) return;
    if (this.heldUntil > 0) peer.lastByteAt = now;
    this.heldUntil = 0;
    if (!peer.other.backlog.isLow(peer.session.policy.bufferedBytesMax)) return;
    this.isClosed = false;
    peer.messageAt = now; // a message cannot stall while it is not read
    if (peer.lastByteAt >= peer.liveness.silentSince) peer.liveness.noteAlive();
    else peer.liveness.noteResumed(now);
    this.traffic.noteResume(now);
    peer.transport.resume();
    peer.session.watch(peer);
  }

  /** Read whatever comes, since nothing of it goes on any more. */
  readOn(): void {
    const { peer } = this;
    this.heldUntil = 0;
    if (this.isClosed) this.traffic.noteResume(peer.session.clock.now());
    this.isClosed = false;
    peer.transport.resume();
  }
}
