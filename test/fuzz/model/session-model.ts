// The reference model of a session: told of every event at either side, it says what had to be written to whom, who had
// to be told what, and when all of it has to be over. It throws on the first thing that is otherwise.

import type { SessionPolicy, SidePolicy } from '../../../src/session/policy.ts';
import { isLegalCloseCode } from '../../reference/frames.ts';
import { type CauseRow, causeRow } from './causes.ts';
import { ReferenceSide, type Wire } from './side.ts';
import { type Outlet, ReferenceStream } from './stream.ts';

/** How long a culprit waits for its Close while the other side may still answer what it sent before. */
const LAST_ANSWERS_MS = 200;
/** A due ping that cannot go out is tried again that often. */
const PING_RETRY_MS = 100;
/** Frames of our own and a held control frame, on top of the cap and one read. */
const OWN_FRAMES_BYTES = 512;
const TOKEN_BYTES = 16;
const OWN_PING_BYTES = 6 + TOKEN_BYTES;

/** What is counted of one direction while the session lives. */
export interface Gauges {
  readonly paused: number;
  readonly buffered: number;
}

/** What is seen of the session itself. */
export interface Subject {
  readonly cause: string | null;
  readonly limit: string | null;
}

export interface ModelOptions {
  readonly subject: Subject;
  readonly policy: SessionPolicy;
  readonly deflate: boolean;
  readonly client: Wire;
  readonly backend: Wire;
  readonly gauges: { readonly client: Gauges; readonly backend: Gauges };
  readonly now: number;
  /** The part of `lifetime` after which this session ends. */
  readonly lifetimeShare: number;
  readonly readBytesMax: number;
}

export class SessionModel {
  readonly client: ReferenceSide;
  readonly backend: ReferenceSide;
  policy: SessionPolicy;
  cause: string | null = null;
  causeAt = 0;
  private row: CauseRow | null = null;
  private readonly subject: Subject;
  private readonly options: ModelOptions;
  private lifetimeAt: number;
  private idleFrom: number;
  /** Both sides were cut off at once, by the proxy. */
  private isForced = false;
  /** A frame of the side that is read had been refused before. */
  private wasRefused = false;
  /** Cut off in the event at hand. */
  private readonly newlyGone: ReferenceSide[] = [];
  /** What an operator's Close says. */
  private askedCode: number | null = null;
  /** The largest and the smallest cap that was ever in force. */
  private bufferedCap: number;
  private bufferedFloor: number;
  private closeMsMax: number;
  private stallMsMax: number;

  constructor(options: ModelOptions) {
    const { policy, deflate, now } = options;
    this.options = options;
    this.policy = policy;
    this.subject = options.subject;
    this.client = new ReferenceSide(
      'client',
      new ReferenceStream({ masked: true, deflate, limits: policy.fromClient, now, ...this.policyOf(true) }),
      options.client,
      now,
    );
    this.backend = new ReferenceSide(
      'backend',
      new ReferenceStream({ masked: false, deflate, limits: policy.fromBackend, now, ...this.policyOf(false) }),
      options.backend,
      now,
    );
    this.client.other = this.backend;
    this.backend.other = this.client;
    this.idleFrom = now;
    this.lifetimeAt = now + policy.lifetimeMs * options.lifetimeShare;
    this.bufferedCap = policy.bufferedBytesMax;
    this.bufferedFloor = policy.bufferedBytesMax;
    this.closeMsMax = policy.closeMs;
    this.stallMsMax = policy.writeStallMs;
  }

  /** No session lives longer than that once its peers have fallen silent. */
  get silenceMax(): number {
    // A debt and `idle`; then for one side after the other the end of a frame, the Close taken, its answer and the FIN.
    return this.stallMsMax + this.policy.idleMs + LAST_ANSWERS_MS + 2 * (this.stallMsMax + 3 * this.closeMsMax);
  }

  /** A Close went both ways on both sides. */
  get isClean(): boolean {
    return [this.client, this.backend].every(({ closed, stream }) => closed !== null && stream.spent === 'close');
  }

  // What happens: told before the session is, where the model has to know first, and judged after it.

  beforeRead(side: ReferenceSide, chunk: Buffer, now: number): void {
    const { stream, other } = side;
    const isShut = other.closed !== null || other.gone;
    if (now < side.heldUntil && !isShut) broken(`${side.name} is read before its debt is paid`);
    const outlet: Outlet = isShut ? 'shut' : this.isDue(other, now) ? 'tail' : 'open';
    this.wasRefused = stream.refused;
    stream.read(chunk, outlet, side.closed !== 'ours', now);
    side.lastByteAt = now;
    if (stream.progressed) side.messageAt = now;
    for (let owed = stream.pings.length; owed > 0; owed--) other.stream.rates.owePong();
    if (stream.mustPause && stream.spent === null && !stream.refused) this.noteDebt(side, now);
  }

  /** `side` has gone over a rate under `pause`. A debt that takes longer than anybody waits is never paid. */
  private noteDebt(side: ReferenceSide, now: number): void {
    if (this.cause !== null) return; // while it ends nobody pays any more
    const debt = side.stream.rates.debtMs(now);
    if (debt > this.policy.writeStallMs) side.stream.refused = true;
    else if (debt > 0) side.heldUntil = now + debt;
  }

  afterRead(side: ReferenceSide, now: number): void {
    const { stream, other } = side;
    this.observeCause(this.causeOfRead(side), now);
    const relayed = this.relayedPart(other);
    if (stream.relayedClose) {
      other.closed = 'relayed';
      other.closeCode = stream.closeCode;
    }
    if (stream.relayedPongs > 0) side.owesPong = false;
    for (const payload of stream.pings) {
      other.unanswered.push(payload);
      other.owesPong = true;
    }
    this.judgeOwnFrames(other, relayed, now);
    this.judgeWrites(side, now);
    const mayPause = !other.wire.destroyed && other.closed === null && this.cause === null;
    if (mayPause && !side.wire.paused) {
      const isFull = relayed > 0 && other.wire.pending >= this.policy.bufferedBytesMax;
      if (isFull) broken(`${side.name} is read although ${other.wire.pending} bytes wait for ${other.name}`);
      if (side.heldUntil > now) broken(`${side.name} is read although it owes for its rate`);
    }
    this.settle(now);
  }

  /** FIN or RST of a side was read. */
  beforeEnd(side: ReferenceSide, isLost: boolean): void {
    side.finRead = true;
    if (isLost) side.lostRead = true;
  }

  afterEnd(side: ReferenceSide, now: number): void {
    this.observeCause(`${side.name}_lost`, now);
    this.judgeAllWrites(now);
    this.settle(now);
  }

  /** A write that waited for `side` has finished. */
  beforeTaken(side: ReferenceSide, now: number): void {
    side.progressAt = now;
    side.takenAt = now;
    side.knownPending = side.wire.pending;
    if (side.wire.pending === 0) side.pending = 0;
  }

  afterTaken(now: number): void {
    this.observeCause(null, now);
    this.judgeAllWrites(now);
    this.settle(now);
  }

  /** An operator or the proxy itself ended it. */
  afterCall(cause: string, now: number, code: number | null = null): void {
    if (this.cause === null) this.askedCode = code;
    this.isForced ||= cause === 'forced';
    if (this.isForced && this.cause === 'drain') this.begin('forced', now);
    this.observeCause(cause, now);
    this.judgeAllWrites(now);
    this.settle(now);
  }

  afterRetune(policy: SessionPolicy, now: number): void {
    if (policy.lifetimeMs !== this.policy.lifetimeMs) {
      this.lifetimeAt = now + policy.lifetimeMs * this.options.lifetimeShare;
    }
    this.policy = policy;
    this.closeMsMax = Math.max(this.closeMsMax, policy.closeMs);
    this.stallMsMax = Math.max(this.stallMsMax, policy.writeStallMs);
    this.bufferedCap = Math.max(this.bufferedCap, policy.bufferedBytesMax);
    this.bufferedFloor = Math.min(this.bufferedFloor, policy.bufferedBytesMax);
    this.client.stream.retune(policy.fromClient, this.policyOf(true).rates, now);
    this.backend.stream.retune(policy.fromBackend, this.policyOf(false).rates, now);
    this.client.busyAt = now;
    this.backend.busyAt = now;
  }

  afterTimers(now: number): void {
    this.observeCause(null, now);
    this.judgeAllWrites(now);
    this.settle(now);
    for (const side of [this.client, this.backend]) {
      if (!side.gone) this.judgeDeadlines(side, now);
      else if (this.isUnanswered(side, now) && !side.other.gone) broken(`${side.other.name} outlives its Close`);
    }
  }

  /** Bytes were written to `side`; looked at when the event at hand is over. */
  noteWrite(side: ReferenceSide, bytes: Buffer): void {
    side.writes.push(bytes);
    side.writtenBytes += bytes.length;
  }

  // Judgement.

  private causeOfRead(side: ReferenceSide): string | null {
    const { stream, name } = side;
    if (stream.refused && !this.wasRefused) return `${name}_rate`;
    if (stream.spent === 'close') return `${name}_close`;
    if (stream.spent === 'text') return `${name}_invalid_utf8`;
    return stream.broken === null ? null : `${name}_${stream.broken}`;
  }

  /** The first cause stays, and it is the one that the event at hand means. */
  private observeCause(expected: string | null, now: number): void {
    const actual = this.subject.cause;
    this.noteGone(this.client);
    this.noteGone(this.backend);
    if (this.cause !== null) {
      if (actual !== this.cause) broken(`the cause ${this.cause} became ${actual}`);
      return;
    }
    if (expected !== null) {
      if (actual !== expected) broken(`it must end with ${expected}; its cause is ${actual}`);
    } else if (actual !== null) {
      if (!this.isTimedCauseDue(actual, now)) broken(`it ends with ${actual}, for which there is no reason`);
    }
    if (actual !== null) this.begin(actual, now);
  }

  private begin(cause: string, now: number): void {
    this.cause = cause;
    for (const side of [this.client, this.backend]) side.heldUntil = Math.min(side.heldUntil, now);
    this.causeAt = now;
    this.row = causeRow(cause);
    const culprit = this.row.by === null ? null : this[this.row.by];
    if (culprit === null) return;
    const { stream } = culprit;
    const limit = cause.endsWith('_rate')
      ? stream.rates.exceeded
      : stream.spent === 'broken'
        ? stream.brokenLimit
        : null;
    if (limit !== null && this.subject.limit !== limit) broken(`the limit is ${limit}, not ${this.subject.limit}`);
  }

  private isTimedCauseDue(cause: string, now: number): boolean {
    if (cause === 'idle') return now >= this.idleAt();
    if (cause === 'lifetime') return now >= this.lifetimeAt;
    for (const side of [this.client, this.backend]) {
      if (cause === `${side.name}_message_stall`) return now >= this.messageStallAt(side);
      if (cause === `${side.name}_stalled`) return now >= this.writeStallAt(side);
      if (cause === `${side.name}_slow`) return now >= this.slowAt(side);
      if (cause === `${side.name}_pong_timeout`) return this.isPongDue(side, now);
    }
    return false;
  }

  private idleAt(): number {
    return Math.max(this.client.lastByteAt, this.backend.lastByteAt, this.idleFrom) + this.policy.idleMs;
  }

  /** Our own ping counts from when it was taken; one that was relayed, until any pong comes. */
  private isPinged(side: ReferenceSide): boolean {
    return side.owesPong || side.lastByteAt < Math.max(side.pingedAt, side.takenAt);
  }

  private isPongDue(side: ReferenceSide, now: number): boolean {
    return this.isPinged(side) && now >= Math.max(side.lastByteAt, side.takenAt) + this.policy.pongMs;
  }

  private messageStallAt(side: ReferenceSide): number {
    return side.stream.isMidMessage && !side.paused ? side.messageAt + this.policy.messageStallMs : Infinity;
  }

  private writeStallAt(side: ReferenceSide): number {
    return side.pending > 0 ? side.progressAt + this.policy.writeStallMs : Infinity;
  }

  private slowAt(side: ReferenceSide): number {
    return side.pending > 0 ? side.waitingSince + this.policy.slowReaderMs : Infinity;
  }

  /** `side` has to get a Close as soon as it is at a frame boundary, if it had none. */
  private isDue(side: ReferenceSide, now: number): boolean {
    if (this.row === null) return false;
    const { other } = side;
    if (other.isFinished || other.stream.refused) return true;
    switch (this.row.kind) {
      case 'relayed':
      case 'cut':
        return false;
      case 'culprit':
        return this.row.by !== side.name || now >= this.causeAt + LAST_ANSWERS_MS;
      case 'slow':
      case 'shed':
        return true;
      case 'orderly':
        return side.isClient;
      default:
        return false;
    }
  }

  /** How much of what was written to `sink` in a read of the other side was relayed: all that had to be. */
  private relayedPart(sink: ReferenceSide): number {
    const expected = joined(sink.other.stream.out);
    const actual = joined(sink.writes, sink.judgedWrites);
    const count = Math.min(expected.length, actual.length);
    if (expected.compare(actual, 0, count, 0, count) !== 0) {
      fail(`${sink.name} was sent other bytes than ${sink.other.name} sent`, expected, actual);
    }
    // A side that was cut off meanwhile has got the front of it.
    if (count < expected.length && !sink.wire.destroyed) {
      fail(`${sink.name} did not get all that ${sink.other.name} sent`, expected, actual);
    }
    return count;
  }

  private judgeAllWrites(now: number): void {
    this.judgeWrites(this.client, now);
    this.judgeWrites(this.backend, now);
  }

  private judgeWrites(side: ReferenceSide, now: number): void {
    if (side.judgedWrites < side.writes.length) this.judgeOwnFrames(side, 0, now);
  }

  /** Whatever was written to `side` behind `start` is whole frames of the proxy's own, and it may send them now. */
  private judgeOwnFrames(side: ReferenceSide, start: number, now: number): void {
    const bytes = joined(side.writes, side.judgedWrites);
    side.judgedWrites = side.writes.length;
    let at = start;
    while (at < bytes.length) {
      const before = `${side.name} was sent ${bytes.toString('hex', at)}`;
      if (side.isInside) broken(`${before} inside a frame`);
      if (side.closed !== null) broken(`${before} behind its Close`);
      const opcode = (bytes[at] ?? 0) - 128;
      const masked = (bytes[at + 1] ?? 0) >= 128;
      const length = (bytes[at + 1] ?? 0) & 127;
      const end = at + (masked ? 6 : 2) + length;
      if (opcode !== 8 && opcode !== 9) broken(`${before}, which nobody sent`);
      if (length > 125 || end > bytes.length) broken(`${before}, which is no whole control frame`);
      if (masked === side.isClient) broken(`${before}: ${masked ? '' : 'not '}masked`);
      const payload = unmask(bytes.subarray(at + 2, end), masked);
      if (opcode === 8) this.judgeOwnClose(side, payload, now);
      else this.judgeOwnPing(side, payload, now);
      at = end;
    }
  }

  private judgeOwnClose(side: ReferenceSide, payload: Buffer, now: number): void {
    const code = payload.length < 2 ? 0 : payload.readUInt16BE(0);
    const what = `${side.name} was sent our Close ${code}`;
    const { row } = this;
    if (row === null || this.cause === null) throw new Error(`${what} in a session that lives`);
    if (!this.isDue(side, now)) broken(`${what} before it was due`);
    const expected = this.codeFor(side, row, this.cause);
    if (!isLegalCloseCode(code) || code !== expected) broken(`${what}; ${this.cause} says ${expected}`);
    const { limit } = this.subject;
    if (row.kind === 'culprit' && limit !== null) {
      if (payload.toString('utf8', 2) !== limit)
        broken(`${what} "${payload.toString('utf8', 2)}" for the limit ${limit}`);
    }
    side.closed = 'ours';
    side.closeCode = code;
  }

  private codeFor(side: ReferenceSide, row: CauseRow, cause: string): number | null {
    if (!side.isClient) return row.backend;
    const mapped = (this.policy.closeCodes as Readonly<Record<string, number>>)[cause]; // keys are causes
    return this.askedCode ?? mapped ?? row.client;
  }

  private judgeOwnPing(side: ReferenceSide, payload: Buffer, now: number): void {
    const { stream } = side;
    // The timer that pings one side may find the end at the other one a moment later.
    if (this.cause !== null && this.causeAt < now) broken(`${side.name} was pinged in a session that ends`);
    if (payload.length !== TOKEN_BYTES) broken(`${side.name} was pinged with ${payload.length} bytes`);
    if (stream.token?.equals(payload) === false) broken(`${side.name} was pinged with another token`);
    const silentMs = now - side.lastByteAt;
    const { pingIntervalMs } = this.policyOf(side.isClient);
    if (silentMs < pingIntervalMs) broken(`${side.name} was pinged after ${silentMs} ms of silence`);
    if (side.pending !== 0) broken(`${side.name} was pinged behind ${side.pending} bytes that wait`);
    if (side.owesPong || side.lastByteAt < side.pingedAt) broken(`${side.name} was pinged though it owes a pong`);
    stream.token = payload;
    stream.openPings += 1;
    side.unanswered.push(payload);
    side.pingedAt = now;
  }

  /** RFC 7692: nothing can be left out of a compressed stream, so what should be dropped is slowed down. */
  private policyOf(isClient: boolean): SidePolicy {
    const side = isClient ? this.policy.client : this.policy.backend;
    if (!this.options.deflate || side.rates.onExceeded !== 'drop') return side;
    return { ...side, rates: { ...side.rates, onExceeded: 'pause' } };
  }

  // The state that an event has left.

  private settle(now: number): void {
    this.judgeGone(this.client, now);
    this.judgeGone(this.backend, now);
    this.noteState(this.client, now);
    this.noteState(this.backend, now);
    this.judgeGauges(this.client);
    this.judgeGauges(this.backend);
    if (!this.client.gone) this.judgeState(this.client, now);
    if (!this.backend.gone) this.judgeState(this.backend, now);
  }

  private noteGone(side: ReferenceSide): void {
    if (!side.wire.destroyed || side.gone) return;
    side.gone = true;
    side.goneInside = side.isInside;
    this.newlyGone.push(side);
  }

  private judgeGone(side: ReferenceSide, now: number): void {
    if (!this.newlyGone.includes(side)) return;
    if (!this.mayBeCutOff(side, now)) broken(`${side.name} was cut off without a reason`);
    this.newlyGone.splice(this.newlyGone.indexOf(side), 1);
  }

  private mayBeCutOff(side: ReferenceSide, now: number): boolean {
    const { other } = side;
    const { cause, row } = this;
    if (row === null) return false;
    if (side.lostRead || this.isForced) return true;
    if (row.kind === 'cut' && row.by === side.name && cause !== `${side.name}_lost`) return true;
    if (side.finRead && (cause === `${side.name}_lost` || side.isFlushed)) return true;
    if (side.deadline !== null && now >= side.deadline) return true;
    if (now >= this.writeStallAt(side)) return true;
    if (this.isUnanswered(other, now)) return true;
    if (!side.goneInside) return false;
    // No Close can stand inside a frame.
    return other.isFinished || this.isTooSlow(side) || now >= side.boundaryBy;
  }

  /** Nobody waits for the end of a frame that this side takes too slowly. */
  private isTooSlow(side: ReferenceSide): boolean {
    if (this.row?.kind === 'slow') return this.row.by === side.name;
    return this.row?.kind === 'shed' && side.isClient;
  }

  /** A relayed Close came back from nobody: there is no answer to relay either. */
  private isUnanswered(side: ReferenceSide, now: number): boolean {
    if (this.row?.kind !== 'relayed' || side.stream.spent === 'close' || side.finRead) return false;
    return side.deadline !== null && now >= side.deadline;
  }

  private noteState(side: ReferenceSide, now: number): void {
    const { wire } = side;
    if (wire.pending > 0 && side.pending === 0) {
      side.waitingSince = now;
      side.progressAt = now;
    }
    side.pending = wire.pending;
    if (side.knownWrites !== side.writes.length) side.knownPending = wire.pending;
    side.knownWrites = side.writes.length;
    if (side.paused || wire.paused) {
      side.messageAt = now;
      side.busyAt = now;
      if (side.heldUntil >= now) this.idleFrom = now; // what is not read for its rate cannot show that it is there
    }
    side.paused = wire.paused;
    if (side.pending > 0 || side.isInside || side.lastByteAt === now || side.takenAt === now) side.busyAt = now;
    if (side.boundaryBy === Infinity && side.closed === null && this.isDue(side, now)) {
      side.boundaryBy = now + this.policy.closeMs;
    }
    if (side.deadline === null && side.isFlushed) side.deadline = now + this.policy.closeMs;
    if (!side.isDone && side.isFlushed && side.isFinished) {
      side.isDone = true;
      side.deadline = now + this.policy.closeMs;
    }
  }

  private judgeGauges(side: ReferenceSide): void {
    const { paused, buffered } = this.options.gauges[side.name];
    const isPaused = side.wire.paused && !side.gone;
    if (paused !== Number(isPaused)) broken(`sessions_paused is ${paused} for ${side.name}`);
    const isEmpty = side.other.gone || side.other.wire.pending === 0;
    if (buffered < 0 || (isEmpty && buffered > 0)) broken(`buffered_bytes is ${buffered} for ${side.name}`);
  }

  private judgeState(side: ReferenceSide, now: number): void {
    const { wire, name } = side;
    const cap = this.bufferedCap + this.options.readBytesMax + OWN_FRAMES_BYTES;
    if (wire.pending > cap) broken(`${wire.pending} bytes wait for ${name}, more than ${cap}`);
    if (wire.paused && now >= side.heldUntil && side.other.knownPending <= this.bufferedFloor / 2) {
      broken(`${name} is not read, with nothing in the way`);
    }
    if (this.cause === null && !wire.paused && side.other.knownPending >= this.bufferedCap + OWN_PING_BYTES) {
      broken(`${name} is read although ${side.other.knownPending} bytes wait for ${side.other.name}`);
    }
    if (wire.paused && (side.other.closed === 'ours' || side.other.gone)) {
      broken(`${name} is not read, though nothing of it goes on`);
    }
    if (side.closed === null && this.isDue(side, now)) {
      if (!side.isInside) broken(`${name} has got no Close at a frame boundary`);
      if (this.isTooSlow(side)) broken(`${name} is too slow and inside a frame, and not cut off`);
    }
    // RFC 6455 7.1.1: we close first towards a client; the backend does so towards us.
    const isFinDue = side.isDone && (side.isClient || side.stream.spent !== 'close');
    if (wire.finSent !== isFinDue) broken(`${name} ${isFinDue ? 'has got no' : 'has got a'} FIN`);
  }

  /** Nothing is left undone whose time has come. */
  private judgeDeadlines(side: ReferenceSide, now: number): void {
    const { name } = side;
    if (side.deadline !== null && now >= side.deadline) broken(`${name} is not cut off at its deadline`);
    if (side.closed === null && now >= side.boundaryBy) broken(`${name} still waits for the end of a frame`);
    if (now >= this.writeStallAt(side)) broken(`${name} is not cut off, though it takes nothing`);
    if (this.cause !== null) return;
    if (now >= this.messageStallAt(side)) broken(`it lives, though a message of ${name} has stalled`);
    if (now >= this.slowAt(side)) broken(`it lives, though ${name} is slow`);
    const pingBy = side.busyAt + this.policyOf(side.isClient).pingIntervalMs + PING_RETRY_MS;
    if (now > pingBy + this.policy.pongMs + allowanceFor(side.writtenBytes))
      broken(`it lives, though ${name} gives no sign of life`);
    if (now > pingBy && !this.isPinged(side)) broken(`${name} is silent and was not pinged`);
    if (now >= this.lifetimeAt) broken('it lives, though its lifetime is over');
    if (now >= this.idleAt()) broken('it lives, though it is idle');
  }

  /** What `side` has taken is what was written to it, and all of that unless it was cut off. */
  judgeReceived(side: ReferenceSide, received: Buffer): void {
    const written = joined(side.writes);
    const front = written.subarray(0, received.length);
    if (received.length > written.length || !front.equals(received)) {
      fail(`${side.name} received other bytes than were written`, front, received);
    }
  }
}

/**
 * How much longer than `timeouts.pong` a peer may be silent at most: what was written to it may all stand in its kernel
 * still, before our ping, on the slowest line that has to be borne; up to 64 KiB is on any line.
 */
function allowanceFor(writtenBytes: number): number {
  return Math.max(0, Math.min(writtenBytes, 4_194_304) - 65_536) / 25.6;
}

function unmask(bytes: Buffer, masked: boolean): Buffer {
  if (!masked) return Buffer.from(bytes);
  const payload = Buffer.from(bytes.subarray(4));
  for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (bytes[i & 3] ?? 0);
  return payload;
}

const nothing = Buffer.alloc(0);

function joined(buffers: readonly Buffer[], from = 0): Buffer {
  if (buffers.length === from) return nothing;
  if (buffers.length === from + 1) return buffers[from] ?? nothing;
  return Buffer.concat(buffers.slice(from));
}

function fail(what: string, expected: Buffer, actual: Buffer): never {
  throw new Error(`${what}\n  expected ${expected.toString('hex')}\n  written  ${actual.toString('hex')}`);
}

function broken(what: string): never {
  throw new Error(what);
}
