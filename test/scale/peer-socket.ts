// A raw WebSocket connection for processes that hold thousands of them: whole frames in, bytes out, and how it ended.

import type * as net from 'node:net';
import { connectTo } from '../support/tls-sides.ts';
import { exampleKey, type Frame, type Head, parseHead, splitFrames, upgradeRequest } from '../support/wire.ts';

const HEAD_BYTES_MAX = 16_384;
const NO_BYTES = Buffer.alloc(0);

export class PeerSocket {
  readonly socket: net.Socket;
  onFrame: (frame: Frame) => void = () => {};
  onHead: (head: Head) => void = () => {};
  /** How it ended: `FIN`, or the code of the error that cut it off; null while it is open. */
  ended: string | null = null;
  onEnded: () => void = () => {};
  private rest: Buffer = NO_BYTES;
  private hasHead = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('end', () => {
      this.end('FIN');
      socket.end();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.end(error.code ?? error.message));
    socket.on('close', () => this.end('closed'));
  }

  /** Resolves once it is open; rejects with the status when it is refused. */
  static open(port: number, path: string, isSecure = false): Promise<PeerSocket> {
    const peer = new PeerSocket(connectTo(port, '127.0.0.1', isSecure));
    peer.socket.write(upgradeRequest({ path, key: exampleKey }));
    return new Promise((resolve, reject) => {
      peer.onEnded = () => reject(new Error(`${path}: ended before its 101: ${peer.ended}`));
      peer.onHead = ({ status }) => {
        peer.onEnded = () => {};
        if (status === 101) return resolve(peer);
        peer.socket.destroy();
        reject(new Error(`${path}: ${status}`));
      };
    });
  }

  write(bytes: Buffer): void {
    if (!this.socket.writableEnded) this.socket.write(bytes);
  }

  private take(chunk: Buffer): void {
    let bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    if (!this.hasHead) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0 && bytes.length > HEAD_BYTES_MAX) this.socket.destroy();
      if (end < 0) {
        this.rest = bytes;
        return;
      }
      this.hasHead = true;
      this.onHead(parseHead(bytes.toString('latin1', 0, end + 4)));
      bytes = bytes.subarray(end + 4);
    }
    const { frames, rest } = splitFrames(bytes);
    // Copied: a few bytes must not keep a whole read alive.
    this.rest = rest.length === 0 ? NO_BYTES : Buffer.from(rest);
    for (const frame of frames) this.onFrame(frame);
  }

  private end(how: string): void {
    if (this.ended !== null) return;
    this.ended = how;
    this.onEnded();
  }
}
