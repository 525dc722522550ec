// Is a silent peer still there? Our own pings to one peer and the time since which it owes us a sign of life. Any byte
// is one; who times it and what follows is the session's.

import { randomBytes } from 'node:crypto';
import { pingFrame } from '../protocol/frame-writer.ts';

/** Hex digits: some peers take a payload for text, and would send other bytes back mangled. */
const TOKEN_BYTES = 16;
/** The slowest line that has to be borne: 25 KiB/s, as for `write_stall`. */
const SLOW_BYTES_PER_MS = 25.6;
/** What a kernel holds for one socket at most: on Linux tcp_wmem goes up to 4 MiB. */
const HELD_BYTES_MAX = 4_194_304;
/** So little is on any line; it needs no time of its own. */
const HELD_BYTES_FREE = 65_536;

export class Liveness {
  /** From when on silence counts: a ping was written, all of it. Infinity while none is out. */
  silentSince = Number.POSITIVE_INFINITY;
  /** When the peer last took something that waited for it: a sign of life too. */
  takenAt = 0;
  /** A ping was relayed to it, and no pong has come since: one may answer all pings before it (RFC 6455 5.5.3). */
  owesPong = false;
  /** Random, so that nobody else's pong is taken for an answer; made with the first ping. */
  private token: Buffer | null = null;
  private sentAt = 0;
  /** Of the last answer; null before. */
  rttMs: number | null = null;
  /** A ping of ours waits to be taken by the peer's socket. */
  private isWriting = false;
  /** Pings of ours without a pong of their own. */
  private open = 0;
  /** How much longer than `timeouts.pong` the last ping may take, for what stands before it. */
  private allowanceMs = 0;
  /** Bytes that the kernel may still hold for the peer, as of `heldAt`, when `relayed` bytes had been written to it. */
  private held = 0;
  private heldAt = 0;
  private relayed = 0;

  /** A ping to be written now. */
  frame(now: number, masked: boolean): Buffer {
    this.token ??= makeToken();
    this.sentAt = now;
    this.isWriting = true;
    this.open += 1;
    this.allowWhatIsHeld();
    return pingFrame(this.token, masked);
  }

  /** Everything written to the peer was taken. */
  noteFlushed(now: number): void {
    if (!this.isWriting) return;
    this.isWriting = false;
    this.silentSince = now;
  }

  /** A ping that was relayed to the peer and is not answered serves as ours from now on. False: there is none. */
  relayedServes(now: number): boolean {
    if (this.owesPong) {
      this.silentSince = now;
      this.allowWhatIsHeld();
    }
    return this.owesPong;
  }

  /** When its silence after a ping is too long; what waited for it and was taken is a sign of life too. */
  deadline(pongMs: number): number {
    return Math.max(this.silentSince, this.takenAt) + pongMs + this.allowanceMs;
  }

  /**
   * Now and then, and before a ping. `relayed` payload bytes have been written to the peer so far: a kernel takes
   * megabytes at once and says nothing of when it is rid of them, so what it holds is reckoned, for a slow line.
   */
  look(lastByteAt: number, relayed: number, now: number): void {
    if (lastByteAt >= this.silentSince) this.noteAlive();
    const drained = Math.floor((now - this.heldAt) * SLOW_BYTES_PER_MS);
    this.held = Math.min(HELD_BYTES_MAX, Math.max(0, this.held - drained) + relayed - this.relayed);
    this.heldAt = Math.floor(now);
    this.relayed = relayed;
  }

  private allowWhatIsHeld(): void {
    this.allowanceMs = Math.round(Math.max(0, this.held - HELD_BYTES_FREE) / SLOW_BYTES_PER_MS);
  }

  /** The peer was not read until now: its silence begins anew. */
  noteResumed(now: number): void {
    if (this.silentSince < Number.POSITIVE_INFINITY) this.silentSince = now;
  }

  /** The peer gave a sign of life. */
  noteAlive(): void {
    this.silentSince = Number.POSITIVE_INFINITY;
  }

  /** True when `[start, end)`, masked with `key`, is the payload of a pong to our ping. */
  isAnswer(bytes: Buffer, start: number, end: number, key: number): boolean {
    const { token } = this;
    if (token === null || this.open === 0 || end - start !== TOKEN_BYTES) return false;
    for (let i = 0; i < TOKEN_BYTES; i++) {
      const mask = (key >>> (24 - 8 * (i & 3))) & 0xff;
      if (((bytes[start + i]! ^ mask) & 0xff) !== token[i]) return false; // within the payload
    }
    return true;
  }

  /** Our ping was answered. Gives the round-trip time in ms. */
  noteAnswer(now: number): number {
    this.open -= 1;
    this.rttMs = now - this.sentAt;
    return this.rttMs;
  }
}

/** In memory of its own: a pool's slab must not live as long as a session. */
function makeToken(): Buffer {
  const token = Buffer.allocUnsafeSlow(TOKEN_BYTES);
  token.write(randomBytes(TOKEN_BYTES / 2).toString('hex'), 'latin1');
  return token;
}
