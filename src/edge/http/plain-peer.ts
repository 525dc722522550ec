// The connection that a plain request came by, as the request knows it.

import type { Transport } from '../../net/transport.ts';
import type { PeerClaim } from '../seat.ts';

export interface PlainPeer {
  readonly transport: Transport;
  readonly claim: PeerClaim;
  /** Its answer is the last one. */
  readonly isLast: boolean;
  /** The last bytes that the client gets, then FIN. */
  endWith(bytes: Buffer): void;
  /** Not all of the request has come. */
  readonly isInBody: boolean;
  /** Its body is taken from now on, by `takeBody`. */
  openBody(): void;
  holdBody(isHeld: boolean): void;
  /** `isLast`: the connection is to end. */
  onExchangeOver(isLast: boolean): void;
  onFault(error: unknown): void;
  /** Cut it off: a part of an answer went out. */
  close(): void;
  /** The same where the end of the connection would be that of the answer. */
  reset(): void;
}
