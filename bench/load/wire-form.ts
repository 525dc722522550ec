// What a connection of the generator is to who uses it, with TLS and without.

export interface WireReader {
  /** Valid during the call only. */
  onBytes(bytes: Buffer, start: number, end: number): void;
  /** Called once. After an orderly end `why` is 'ended'. */
  onGone(why: string): void;
}

export interface Wire {
  /** `bytes` must not change afterwards. */
  write(bytes: Buffer): void;
  /** With a reset, so that no port is left in TIME_WAIT. */
  destroy(): void;
}

export interface WireTarget {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string | null;
}
