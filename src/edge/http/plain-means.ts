// What all plain requests of a process share.

import type { Transport } from '../../net/transport.ts';

/** A read of a transport with its head before and its framing around it. */
const JOINT_BYTES = 96 * 1024;

/** What is written in one step, joined: one for all, since a step writes to one peer and ends with a flush. */
export class Joint {
  private made: Buffer | null = null;
  private size = 0;
  private transport: Transport | null = null;

  add(transport: Transport, text: string): void {
    if (!this.takes(transport, text.length)) this.write(transport, Buffer.from(text, 'latin1'), 0, text.length);
    else this.size += this.bytes.write(text, this.size, 'latin1');
  }

  copy(transport: Transport, bytes: Buffer, start: number, end: number): void {
    if (!this.takes(transport, end - start)) this.write(transport, bytes, start, end);
    else this.size += bytes.copy(this.bytes, this.size, start, end);
  }

  /** Past the joint, behind what is in it. */
  write(transport: Transport, bytes: Buffer, start: number, end: number): void {
    this.flush();
    transport.write(bytes, start, end, false);
  }

  flush(): void {
    const { transport, size } = this;
    this.transport = null;
    this.size = 0;
    if (size > 0) transport?.write(this.bytes, 0, size, false);
  }

  drop(transport: Transport): void {
    if (this.transport === transport) this.size = 0;
  }

  /** Made for the first request: most processes see none. */
  private get bytes(): Buffer {
    this.made ??= Buffer.allocUnsafeSlow(JOINT_BYTES);
    return this.made;
  }

  private takes(transport: Transport, size: number): boolean {
    if (this.transport !== transport || this.size + size > JOINT_BYTES) this.flush();
    this.transport = transport;
    return size <= JOINT_BYTES;
  }
}

/** RFC 9110 5.6.7: Date is to the second, and is made once for each. */
class HttpDates {
  private text = '';
  private second = 0;

  now(): string {
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.second) {
      this.second = second;
      this.text = new Date(second * 1000).toUTCString();
    }
    return this.text;
  }
}

export class PlainMeans {
  readonly joint = new Joint();
  readonly dates = new HttpDates();
}
