// The header of the PROXY protocol, versions 1 and 2, in front of all else that a connection carries: who its client
// is. Clauses are those of HAProxy's proxy-protocol.txt. The first byte decides which version it is, if it is one.

import { type HeaderReader, type ProxyHeader, ProxyStep, type ProxyViolation } from './reader.ts';
import { PREFIX, V1Reader } from './v1-reader.ts';
import { SIGNATURE, V2Reader } from './v2-reader.ts';

export { type Endpoint, type ProxyHeader, ProxyStep } from './reader.ts';

/** Which versions are taken. */
export type ProxyVersions = 'v1' | 'v2' | 'any';

/** Feed it ranges until it says Done or Violation; it stays there. At most 106 bytes of a header are held. */
export class ProxyHeaderParser {
  /** Index in the last fed buffer just after the last byte taken. The byte that breaks a rule is not taken. */
  position = 0;
  violation: ProxyViolation | null = null;
  private readonly versions: ProxyVersions;
  private reader: HeaderReader | null = null;

  constructor(versions: ProxyVersions) {
    this.versions = versions;
  }

  /** Set when it says Done. */
  get header(): ProxyHeader | null {
    return this.reader?.header ?? null;
  }

  feed(bytes: Buffer, start: number, end: number): ProxyStep {
    this.position = start;
    if (this.violation !== null) return ProxyStep.Violation;
    if (this.header !== null) return ProxyStep.Done;
    if (start === end) return ProxyStep.NeedData;
    const reader = this.reader ?? this.readerFor(bytes[start]);
    if (reader === null) {
      // Not a byte was taken: what came may be read as something else.
      this.violation = 'absent';
      return ProxyStep.Violation;
    }
    this.reader = reader;
    const step = reader.feed(bytes, start, end);
    this.position = reader.position;
    this.violation = reader.violation;
    return step;
  }

  private readerFor(first: number | undefined): HeaderReader | null {
    if (first === PREFIX[0] && this.versions !== 'v2') return new V1Reader();
    return first === SIGNATURE[0] && this.versions !== 'v1' ? new V2Reader() : null;
  }
}
