// Writes lines to a file descriptor without ever waiting for it, throwing, or ending the process: what its reader does
// not take is held up to a cap, then new lines are dropped and counted. Whoever owns it calls `retry` now and then.
// (pino's own destination spins for ever at exit when the disk is full.)

import { closeSync, constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Held while the reader stalls: the ends of 5000 sessions in one moment, and some. */
const HELD_BYTES_MAX = 4 * 1_048_576;
/** A full pipe is tried again when so much more waits: whoever is tried now and then only would fall behind a flood. */
const RETRY_BYTES = 16_384;
/** Handed to the kernel at once; a pipe takes 64 KiB. */
const CHUNK_BYTES_MAX = 65_536;
/** Linux: PIPE_BUF, up to which the writes of several processes to one pipe do not mix (pipe(7)). */
export const SHARED_BYTES_MAX = 4_096;
/** After a write, lines are collected: each write is a job for another thread, which costs more than making a line. */
const REST_MS = 10;
const FLUSH_MS_MAX = 1_000;
const FLUSH_STEP_MS = 5;

/** Why the last write took nothing: no room in the pipe just now, or what passes more slowly, such as a full disk. */
const Failure = { None: 0, NoRoom: 1, Other: 2 } as const;
type Failure = (typeof Failure)[keyof typeof Failure];

/** The calls of node:fs that are used; tests put failing ones here. */
export interface FdCalls {
  open(fd: number): number;
  close(fd: number): void;
  write(fd: number, bytes: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void): void;
  writeSync(fd: number, bytes: Buffer): number;
  /** Calls `run` in `REST_MS`, unless the process has ended by then. */
  rest(run: () => void): void;
}

export class FdWriter {
  /** Lines that nobody will see. */
  linesDropped = 0;
  private readonly fd: number;
  private readonly calls: FdCalls;
  private readonly chunkMax: number;
  /** The descriptor written to, opened with the first line and closed by `flush`; -1 when there is none. */
  private openFd = -1;
  /** Waiting lines, at most HELD_BYTES_MAX bytes together. */
  private lines: string[] = [];
  private linesBytes = 0;
  /** What is being written, or failed to be, without what the kernel has taken of it. */
  private chunk: Buffer = EMPTY;
  private isWriting = false;
  /** A write was done a moment ago. */
  private isResting = false;
  /** What waited when the pipe was full. */
  private bytesAtFailure = 0;
  private failure: Failure = Failure.None;
  /** The reader is gone for good. */
  private isBroken = false;

  /** `chunkMax`: of several lines together; a longer one is written by itself. */
  constructor(fd: number, calls: FdCalls = SYSTEM, chunkMax = CHUNK_BYTES_MAX) {
    this.fd = fd;
    this.calls = calls;
    this.chunkMax = chunkMax;
  }

  /** `line` is ASCII and ends in LF. */
  write(line: string): void {
    if (this.isBroken || line.length > HELD_BYTES_MAX - this.linesBytes) {
      this.linesDropped += 1;
      return;
    }
    this.lines.push(line);
    this.linesBytes += line.length;
    if (this.failure === Failure.None) this.pump();
    else if (this.linesBytes - this.bytesAtFailure >= RETRY_BYTES) this.retryFull();
  }

  /** A line more would find no room, or nobody. */
  get isFull(): boolean {
    return this.isBroken || this.linesBytes > HELD_BYTES_MAX / 2;
  }

  /** Try again when the pipe was full; cheap enough for every turn of a timer. */
  retryFull(): void {
    if (this.failure === Failure.NoRoom) this.retry();
  }

  /** Try again whatever failed. Call it about once a second: that is the back-off. */
  retry(): void {
    if (this.failure === Failure.None) return;
    this.failure = Failure.None;
    this.pump();
  }

  /** Resolves when nothing waits any more, when what waits cannot be written, and after a second at the latest. */
  async flush(): Promise<void> {
    this.retry();
    this.isResting = false;
    this.pump();
    for (let waited = 0; waited < FLUSH_MS_MAX && !this.isEmpty; waited += FLUSH_STEP_MS) {
      if (this.failure === Failure.Other) return;
      await sleep(FLUSH_STEP_MS);
      this.retryFull();
    }
    if (this.isEmpty) this.close();
  }

  /** The last words of a process that cannot wait: one attempt. What another thread writes just now is left to it. */
  flushSync(): void {
    if (this.isBroken) return;
    const rest = this.isWriting ? EMPTY : this.chunk;
    const bytes = Buffer.concat([rest, Buffer.from(this.lines.join(''), 'latin1')]);
    if (!this.isWriting) this.chunk = EMPTY;
    this.lines = [];
    this.linesBytes = 0;
    let written = 0;
    try {
      while (written < bytes.length) written += this.calls.writeSync(this.opened(), bytes.subarray(written));
    } catch {
      this.linesDropped += countLines(bytes.subarray(written));
    }
  }

  private get isEmpty(): boolean {
    return !this.isWriting && this.chunk.length === 0 && this.lines.length === 0;
  }

  private pump(): void {
    if (this.isWriting || this.isBroken) return;
    if (this.isResting && this.linesBytes < this.chunkMax) return;
    if (this.chunk.length === 0) this.chunk = this.takeChunk();
    if (this.chunk.length === 0) return;
    this.isWriting = true;
    this.calls.write(this.opened(), this.chunk, (error, written) => this.onWritten(error, written));
  }

  private takeChunk(): Buffer {
    let count = 0;
    let bytes = 0;
    while (count < this.lines.length && (count === 0 || bytes + (this.lines[count]?.length ?? 0) <= this.chunkMax)) {
      bytes += this.lines[count]?.length ?? 0;
      count += 1;
    }
    const taken = this.lines.splice(0, count);
    this.linesBytes -= bytes;
    return Buffer.from(taken.join(''), 'latin1');
  }

  private onWritten(error: NodeJS.ErrnoException | null, written: number): void {
    this.isWriting = false;
    if (error === null) {
      this.chunk = this.chunk.subarray(written);
      if (this.chunk.length === 0) this.rest();
      this.pump();
    } else if (error.code === 'EPIPE' || error.code === 'EBADF') {
      this.giveUp();
    } else {
      this.failure = error.code === 'EAGAIN' ? Failure.NoRoom : Failure.Other;
      this.bytesAtFailure = this.linesBytes;
    }
  }

  private rest(): void {
    if (this.isResting) return;
    this.isResting = true;
    this.calls.rest(() => {
      this.isResting = false;
      this.pump();
    });
  }

  private giveUp(): void {
    this.isBroken = true;
    this.linesDropped += countLines(this.chunk) + this.lines.length;
    this.chunk = EMPTY;
    this.lines = [];
    this.linesBytes = 0;
    this.close();
  }

  private opened(): number {
    if (this.openFd === -1) this.openFd = this.calls.open(this.fd);
    return this.openFd;
  }

  private close(): void {
    if (this.openFd !== -1 && this.openFd !== this.fd) this.calls.close(this.openFd);
    this.openFd = -1;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);

const SYSTEM: FdCalls = {
  open: openPipe,
  close: closeSync,
  write,
  writeSync,
  rest: (run) => setTimeout(run, REST_MS).unref(),
};

/**
 * A non-blocking description of our own for a pipe (Linux). A write that blocks in another thread would keep the
 * process from exiting for as long as the reader stalls, and changing the mode of the one we were given would change it
 * for every process that shares it. All else is written as it is.
 */
function openPipe(fd: number): number {
  try {
    if (!fstatSync(fd).isFIFO()) return fd;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return fd;
  }
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (const byte of bytes) if (byte === 0x0a) lines += 1;
  return lines;
}
