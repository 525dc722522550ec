// Is a silent peer still there? Our own pings to one peer and the time since which it owes us a sign of life. Any byte
// is one; who times it and what follows is the session's.

import { randomBytes } from 'node:crypto';
import { pingFrame } from '../protocol/frame-writer.ts';

const TOKEN_BYTES = 8;

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

  /** A ping to be written now. */
  frame(now: number, masked: boolean): Buffer {
    this.token ??= randomBytes(TOKEN_BYTES);
    this.sentAt = now;
    this.isWriting = true;
    this.open += 1;
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
    if (this.owesPong) this.silentSince = now;
    return this.owesPong;
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
