// One side of a session as the reference model sees it: what it sends, what was written to it, and since when things
// have stood as they stand. Fields only; session-model.ts judges.

import type { SideName } from './causes.ts';
import type { ReferenceStream } from './stream.ts';

/** What is seen of a transport from outside. */
export interface Wire {
  readonly pending: number;
  readonly paused: boolean;
  readonly destroyed: boolean;
  readonly finSent: boolean;
  readonly receivedBytes: number;
}

export class ReferenceSide {
  readonly name: SideName;
  readonly isClient: boolean;
  readonly stream: ReferenceStream;
  readonly wire: Wire;
  other!: ReferenceSide;

  /** Everything that was written to it, and how many of these writes were looked at. */
  readonly writes: Buffer[] = [];
  writtenBytes = 0;
  judgedWrites = 0;
  /** Who its Close came from; nothing may follow one. */
  closed: 'ours' | 'relayed' | null = null;
  closeCode: number | null = null;
  finRead = false;
  lostRead = false;
  gone = false;
  /** It was cut off inside a frame. */
  goneInside = false;

  /** When bytes of it were read last, and bytes of a message that is not complete. */
  lastByteAt: number;
  messageAt: number;
  /** While something waits for it: since when, and since when no write has finished. */
  waitingSince: number;
  progressAt: number;
  /** When it last took something that had waited. */
  takenAt = 0;
  /** Not read before then, for its rate. */
  heldUntil = 0;
  /** Until when a Close that is due may wait for the end of a frame. */
  boundaryBy = Number.POSITIVE_INFINITY;
  /** When what it may still do is over, once its Close was flushed. */
  deadline: number | null = null;
  isDone = false;
  /** When it was last seen in a state in which its silence does not count. */
  busyAt: number;
  /** When it got a ping of our own. */
  pingedAt = 0;
  /** It got a ping of the other side, and no pong has come since. */
  owesPong = false;
  /** What waited for it when a write to it was made or finished last: more than that nobody was told. */
  knownPending = 0;
  knownWrites = 0;
  /** As the last event left them. */
  pending = 0;
  paused = false;

  /** For the peer that plays this side: what it has not answered. */
  readonly unanswered: Buffer[] = [];

  constructor(name: SideName, stream: ReferenceStream, wire: Wire, now: number) {
    this.name = name;
    this.isClient = name === 'client';
    this.stream = stream;
    this.wire = wire;
    this.lastByteAt = now;
    this.messageAt = now;
    this.waitingSince = now;
    this.progressAt = now;
    this.busyAt = now;
  }

  /** Nothing that it may still send counts. */
  get isFinished(): boolean {
    return this.stream.spent !== null || this.finRead || this.gone;
  }

  /** What was written to it ends inside a frame. */
  get isInside(): boolean {
    return this.other.stream.isHalfRelayed;
  }

  /** As the log has it: 1005 for a Close without a code. */
  get codeSent(): number | null {
    return this.closed === null ? null : (this.closeCode ?? 1005);
  }

  get isFlushed(): boolean {
    return this.closed !== null && this.wire.receivedBytes === this.writtenBytes;
  }
}
