// The PROXY header of version 1, a line of text: proxy-protocol.txt 2.1. Its addresses and ports are judged once the
// line is whole.

import { parseIp, printIp } from '../addresses/ip-address.ts';
import { Byte } from '../charset.ts';
import {
  type Endpoint,
  type HeaderReader,
  OF_THE_SOCKET,
  type ProxyHeader,
  ProxyStep,
  type ProxyViolation,
} from './reader.ts';

export const PREFIX = Buffer.from('PROXY ', 'latin1');
/** 2.1: CR LF stands in the first 107 bytes. */
const LINE_BYTES_MAX = 107;
/** 2.1: no leading zeros, which some read as octal; 0 is a port. */
const PORT = /^(?:0|[1-9][0-9]{0,4})$/;
const PORT_MAX = 65_535;
const UNKNOWN = 'PROXY UNKNOWN';

export class V1Reader implements HeaderReader {
  position = 0;
  violation: ProxyViolation | null = null;
  header: ProxyHeader | null = null;
  /** All but the LF. */
  private readonly line = Buffer.alloc(LINE_BYTES_MAX - 1);
  private taken = 0;

  feed(bytes: Buffer, start: number, end: number): ProxyStep {
    let i = start;
    while (i < end && this.violation === null && this.header === null) {
      this.take(bytes[i]!);
      if (this.violation === null) i += 1;
    }
    this.position = i;
    if (this.violation !== null) return ProxyStep.Violation;
    return this.header === null ? ProxyStep.NeedData : ProxyStep.Done;
  }

  private take(byte: number): void {
    const { line, taken } = this;
    if (taken < PREFIX.length && byte !== PREFIX[taken]) this.violation = 'signature';
    // 2.1: neither a CR nor an LF alone ends the line, nor stands in it.
    else if ((taken > 0 && line[taken - 1] === Byte.CR) !== (byte === Byte.LF)) this.violation = 'line_end';
    else if (byte === Byte.LF) this.judge(line.toString('latin1', 0, taken - 1));
    else if (taken === line.length) this.violation = 'line_too_long';
    else {
      line[taken] = byte;
      this.taken += 1;
    }
  }

  private judge(line: string): void {
    // 2.1: whatever follows UNKNOWN is ignored, and the connection taken for what it is.
    if (line === UNKNOWN || line.startsWith(`${UNKNOWN} `)) {
      this.header = OF_THE_SOCKET;
      return;
    }
    const parts = line.split(' ');
    const [, protocol, source = '', destination = '', sourcePort = '', destinationPort = ''] = parts;
    const family = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 6 : null;
    if (family === null) this.violation = 'protocol';
    else if (parts.length !== 6) this.violation = 'line_parts';
    else {
      const from = this.endpoint(family, source, sourcePort);
      const to = this.endpoint(family, destination, destinationPort);
      if (from !== null && to !== null) this.header = { source: from, destination: to, secure: null };
    }
  }

  private endpoint(family: 4 | 6, address: string, portText: string): Endpoint | null {
    const ip = parseIp(address);
    const port = PORT.test(portText) ? Number(portText) : Number.POSITIVE_INFINITY;
    if (ip?.family !== family) this.violation = 'address';
    else if (port > PORT_MAX) this.violation = 'port';
    else return { address: printIp(ip), port };
    return null;
  }
}
