// Accepted connections on their way to another process, over a pipe of its own. Node's IPC channel sends the next
// handle when the last one was answered, so one in each turn of the other side, and all messages wait behind it.
// Every connection goes with a note of one length: that is what has libuv read many of them in a turn.

import type { Socket } from 'node:net';
import { type HandlePipe, type StreamBase, type StreamHandle, takeHandle } from './stream-base.ts';

/** Digits and blanks. */
const NOTE_BYTES = 48;

export class LaneSender {
  private readonly base: StreamBase;
  private readonly pipe: HandlePipe;
  private isClosed = false;

  private constructor(base: StreamBase, pipe: HandlePipe) {
    this.base = base;
    this.pipe = pipe;
  }

  /** Over the socket to a child process, which nobody else uses; null where this Node has none of the form we know. */
  static over(base: StreamBase, socket: Socket): LaneSender | null {
    const below = takeHandle(socket);
    if (below === null) return null;
    below.readStop();
    const fd: unknown = Reflect.get(below, 'fd');
    const pipe = base.newHandlePipe();
    if (typeof fd === 'number' && fd >= 0 && pipe.open(fd) === 0) {
      // Both have the descriptor now. The one below is never closed: that would close another one's some day.
      pipe.unref();
      return new LaneSender(base, pipe);
    }
    pipe.close();
    below.close();
    return null;
  }

  /** `isSent`: the other process has it, or will have. False: it is still ours. Called once, at once or later. */
  send(note: string, handle: StreamHandle, done: (isSent: boolean) => void): void {
    if (this.isClosed) {
      done(false);
      return;
    }
    const request = new this.base.WriteWrap();
    request.oncomplete = (status) => done(status === 0);
    const error = this.pipe.writeLatin1String(request, note.padEnd(NOTE_BYTES), handle);
    if (error !== 0) done(false);
    else if (this.base.state[this.base.asyncIndex] === 0) done(true);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.pipe.close();
  }
}

/** The other end, which is open as `fd` for as long as this process lives. False: it cannot be read. */
export function receiveHandles(base: StreamBase, fd: number, take: (note: string, handle: unknown) => void): boolean {
  const pipe = base.newHandlePipe();
  if (pipe.open(fd) !== 0) return false;
  const bytes = Buffer.alloc(NOTE_BYTES);
  pipe.onread = () => {
    const size = base.state[base.readIndex] ?? 0;
    const handle = pipe.pendingHandle;
    pipe.pendingHandle = null;
    // Its end is that of the channel, which is seen there. 0: there is no more for now.
    if (size < 0) pipe.readStop();
    else if (size > 0) take(bytes.toString('latin1', 0, size), handle);
  };
  pipe.useUserBuffer(bytes);
  return pipe.readStart() === 0;
}
