// A peer on a real socket that does random things until its connection is closed, and remembers what it sent.

import type { Limits } from '../../reference/frames.ts';
import type { Random } from '../../support/random.ts';
import type { RawPeer } from '../../support/raw-peer.ts';
import { Opcode, takeFrame } from '../../support/wire.ts';
import { PeerScript, type ScriptSetup } from './peer-script.ts';

/** In one of so many sessions the kernel's buffers are filled. */
const BURST_ODDS = 40;
const BURST_BYTES = 3 * 1024 * 1024;
/** It asks itself what to do next after so many milliseconds. */
const WAIT_MS = 3;

export class SocketPlayer {
  readonly peer: RawPeer;
  readonly sent: Buffer[] = [];
  private readonly random: Random;
  private readonly script: PeerScript;
  private readonly limits: Limits;
  private readonly isClient: boolean;
  /** How much of what came is the head of the handshake, and then frames that were looked at. */
  headBytes = 0;
  private judged = 0;
  private seen = 0;
  private readonly pings: Buffer[] = [];
  private gotClose = false;
  private finSent = false;

  constructor(peer: RawPeer, random: Random, limits: Limits, setup: ScriptSetup) {
    this.peer = peer;
    this.random = random;
    this.limits = limits;
    this.isClient = setup.masked;
    this.script = new PeerScript(random, setup);
  }

  /** Everything behind the head of the handshake. */
  get received(): Buffer {
    return this.peer.received.subarray(this.headBytes);
  }

  /** Bytes that went out together with the head. */
  early(): Buffer {
    const bytes = this.random.chance(0.2) ? this.script.legal(this.limits) : Buffer.alloc(0);
    this.sent.push(bytes);
    return bytes;
  }

  /** Random things, then an end of some kind; over when the connection is. */
  async play(): Promise<void> {
    const { random, peer } = this;
    for (let steps = random.between(1, 14); steps > 0 && !peer.isClosed && !this.finSent; steps--) await this.step();
    const polite = random.chance(0.7);
    while (!peer.isClosed) {
      await pause(WAIT_MS);
      if (polite) this.answer();
      else if (random.chance(0.02)) this.leave();
    }
  }

  private async step(): Promise<void> {
    const { random, script, peer } = this;
    const dice = random.between(0, 99);
    if (dice < 60) await this.send(this.frames());
    else if (dice < 64) await this.sendIllegal();
    else if (dice < 69) await this.send(script.close());
    else if (dice < 71) this.leave();
    else if (dice < 78) {
      peer.pause();
      await pause(random.between(1, 40));
      peer.resume();
    } else if (dice < 90) await pause(random.between(0, 6));
    else this.answer();
  }

  private frames(): Buffer {
    const frames = [this.script.legal(this.limits)];
    const isBurst = this.random.between(1, BURST_ODDS * 10) === 1;
    const bytes = isBurst ? BURST_BYTES : this.random.between(0, 400);
    for (let size = 0; size < bytes; size += frames.at(-1)?.length ?? 0) frames.push(this.script.legal(this.limits));
    return Buffer.concat(frames);
  }

  private async sendIllegal(): Promise<void> {
    await this.send(this.script.illegal(this.limits));
  }

  private async send(bytes: Buffer): Promise<void> {
    const { random, peer } = this;
    let at = 0;
    while (at < bytes.length && random.chance(0.4)) {
      const to = random.between(at + 1, bytes.length);
      this.write(bytes.subarray(at, to));
      at = to;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (!peer.isClosed && at < bytes.length) this.write(bytes.subarray(at));
  }

  private write(bytes: Buffer): void {
    if (this.finSent || this.peer.isClosed) return;
    this.sent.push(bytes);
    this.peer.send(bytes);
  }

  /** Without a word: FIN or RST. */
  private leave(): void {
    if (this.random.chance(0.5)) this.peer.reset();
    else this.fin();
  }

  private fin(): void {
    if (!this.finSent) this.peer.end();
    this.finSent = true;
  }

  /** What a well-behaved peer does about what has come. */
  private answer(): void {
    this.look();
    const { script, peer } = this;
    if (this.finSent || peer.isClosed) return;
    const payload = this.pings.pop();
    if (this.gotClose && !script.closeSent) this.write(script.close());
    else if (payload !== undefined && !script.closeSent) this.write(script.pong(payload));
    if (peer.finSeen || (this.gotClose && script.closeSent && !this.isClient)) this.fin();
  }

  private look(): void {
    if (this.peer.bytesReceived === this.seen) return;
    this.seen = this.peer.bytesReceived;
    const { received } = this;
    for (;;) {
      const next = takeFrame(received.subarray(this.judged));
      if (next === null) return;
      this.judged += next.bytes.length;
      if (next.opcode === Opcode.Ping) this.pings.push(next.payload);
      if (next.opcode === Opcode.Close) this.gotClose = true;
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
