// What a handshake is waiting for, with what it has by then. How it gets from one to the next is in handshake.ts.

import type { OpeningProgress } from '../upstream/open-backend.ts';
import type { Admitted } from './admitted.ts';
import type { StepWaiter } from './handshake-turns.ts';

export type HandshakeState =
  /** For its turn to be checked. */
  | { readonly kind: 'queued'; readonly waiter: StepWaiter }
  /** A check has not answered yet. */
  | { readonly kind: 'checking' }
  /** For its turn to be one of the handshakes under way. */
  | { readonly kind: 'waiting'; readonly admitted: Admitted; readonly progress: OpeningProgress }
  /** For a target that has room; it is none of the handshakes under way meanwhile. */
  | { readonly kind: 'parked'; readonly admitted: Admitted; readonly progress: OpeningProgress }
  | { readonly kind: 'opening'; readonly admitted: Admitted; readonly progress: OpeningProgress }
  /** Our 101 is on its way, and the session has not taken over yet. */
  | { readonly kind: 'switched' }
  /** It is a session, refused or gone. */
  | { readonly kind: 'over' };

export const CHECKING: HandshakeState = { kind: 'checking' };
export const SWITCHED: HandshakeState = { kind: 'switched' };
export const OVER: HandshakeState = { kind: 'over' };
