// One byte stream to one peer, whatever carries it: TCP, TLS, a unix socket or the built-in echo backend.
// It has one reader (`reader`), one pauser and one closer: whoever set `reader` last. It knows no HTTP and no frames.

/** Who a transport talks to. Exactly one at a time; handed over by assigning `transport.reader`. */
export interface TransportReader {
  /**
   * Bytes `[start, end)` of `bytes` arrived. Unless `transport.stable`, they are valid during the call only; the
   * `transport.headroom` bytes before `start` may be overwritten by the reader.
   */
  onBytes(bytes: Buffer, start: number, end: number): void;
  /** The peer sent FIN after its last byte. Not called behind a pause (Node reports no FIN behind unread data). */
  onEnd(): void;
  /** The connection is gone without our `destroy()`: RST, TLS failure, time-out of the kernel. Called at most once. */
  onLost(error: Error): void;
  /** A write that could not finish at once has finished; `transport.pending` says what still waits. */
  onTaken(): void;
}

export interface LocalEndpoint {
  /** An IP address, v4-mapped ones as v4. */
  readonly address: string;
  readonly port: number;
}

export interface Transport {
  reader: TransportReader;
  /** True when bytes handed to `onBytes` are never reused, so that they may be written or kept without a copy. */
  readonly stable: boolean;
  /** Bytes before `start` in `onBytes` that the reader may overwrite. */
  readonly headroom: number;
  /** Bytes written that the peer's kernel buffer has not taken yet. */
  readonly pending: number;
  /** The memory that this costs, in bytes: 0 when nothing is pending, and never less than that. */
  readonly held: number;
  /** Memory of what was read and is not taken by the reader: given back by `unread`, or kept by Node's streams. */
  readonly kept: number;
  /** Steps of work, such as frames, that the reader may still do in this turn of the event loop: it counts down. */
  stepsLeft: number;
  /**
   * False, which its reader may say: an end is told when it was read a second time, in a later turn. To libuv a reset
   * that comes in one poll with the data before it is an end. Where nobody can be asked again it is told at once. And a
   * write that fails is told behind all that came before it.
   */
  isEndSure: boolean;
  readonly paused: boolean;
  readonly destroyed: boolean;
  /** The peer's IP address, v4-mapped ones as v4; '' for unix sockets and in-process peers. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Where the peer has reached us, asked of the system; null for unix sockets, in-process peers, and what is gone. */
  localEndpoint(): LocalEndpoint | null;
  /** Write `[start, end)`. With `stable` false the bytes are copied if they cannot be taken at once. */
  write(bytes: Buffer, start: number, end: number, stable: boolean): void;
  /**
   * Give back `[start, end)` of what `onBytes` brought, for which this turn has no steps left: it comes again in the
   * next one, before anything else, also when nothing follows it. The bytes are copied unless `stable`.
   */
  unread(bytes: Buffer, start: number, end: number): void;
  /** Stop reading. Every pause needs a deadline of its owner: a paused socket is blind. */
  pause(): void;
  resume(): void;
  /** Send FIN once everything pending is taken. */
  end(): void;
  /** Close both ways now; nothing is called on the reader afterwards. Idempotent. */
  destroy(): void;
  /**
   * The same so that the peer does not take it for an end: by RST. Over TLS there is no close_notify, which says as
   * much; on what has no RST it is `destroy`.
   */
  reset(): void;
}

/** The reader of a transport that nobody reads: before the first is set, and after destroy. */
export const silentReader: TransportReader = { onBytes() {}, onEnd() {}, onLost() {}, onTaken() {} };
