// One message to a peer: its head, and its content as that head frames it. What one step writes goes out in one write.

import type { Transport } from '../../net/transport.ts';
import type { Joint } from './plain-means.ts';

/** Content of so much is worth a write of its own rather than a copy. */
const DIRECT_BYTES = 16 * 1024;

export class MessageWriter {
  private readonly transport: Transport;
  private readonly joint: Joint;
  private isChunked = false;

  constructor(transport: Transport, joint: Joint) {
    this.transport = transport;
    this.joint = joint;
  }

  /** `head`: all of it, as text of latin1. */
  begin(head: string, isChunked: boolean): void {
    this.isChunked = isChunked;
    this.joint.add(this.transport, head);
  }

  content(bytes: Buffer, start: number, end: number): void {
    const { transport, joint } = this;
    if (!this.isChunked && end - start >= DIRECT_BYTES) {
      joint.write(transport, bytes, start, end);
      return;
    }
    if (this.isChunked) joint.add(transport, `${(end - start).toString(16)}\r\n`);
    joint.copy(transport, bytes, start, end);
    if (this.isChunked) joint.add(transport, '\r\n');
  }

  /** Behind the last content. */
  end(): void {
    if (this.isChunked) this.joint.add(this.transport, '0\r\n\r\n');
    this.joint.flush();
  }

  /** What this step had to write is for nobody any more. */
  drop(): void {
    this.joint.drop(this.transport);
  }

  /** What this step had to write is out, or waits for the peer. */
  flush(): void {
    this.joint.flush();
  }
}
