// What the readers of both versions of a PROXY header have in common: what they find, and what a header can break.

export const ProxyStep = { NeedData: 0, Done: 1, Violation: 2 } as const;
export type ProxyStep = (typeof ProxyStep)[keyof typeof ProxyStep];

export interface Endpoint {
  /** In its one spelling; IPv4 is always written as IPv4. */
  readonly address: string;
  readonly port: number;
}

export interface ProxyHeader {
  /** Null: whoever sent the header is the client, or does not know who is. */
  readonly source: Endpoint | null;
  readonly destination: Endpoint | null;
  /** Whether the client came over TLS; null when nothing is said of it. */
  readonly secure: boolean | null;
}

export type ProxyViolation =
  /** The first byte begins no header of a version that is taken. */
  | 'absent'
  | 'signature'
  // Of version 1.
  | 'line_end'
  | 'line_too_long'
  | 'line_parts'
  | 'protocol'
  | 'address'
  | 'port'
  // Of version 2.
  | 'version'
  | 'command'
  | 'family'
  | 'transport'
  | 'length'
  | 'tlv_length'
  | 'tlv_repeated'
  | 'crc32c';

export interface HeaderReader {
  readonly position: number;
  readonly violation: ProxyViolation | null;
  readonly header: ProxyHeader | null;
  /** Not called again when it has a header or a violation. */
  feed(bytes: Buffer, start: number, end: number): ProxyStep;
}

/** Nothing is known but the socket itself. */
export const OF_THE_SOCKET: ProxyHeader = { source: null, destination: null, secure: null };
