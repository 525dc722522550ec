// What a route allows a session, in the units the data path works with. Compiled once per route, shared by its
// sessions. It knows no YAML names.

import type { EndCause } from '../protocol/end-causes.ts';
import type { ScannerLimits } from '../protocol/frame-scanner.ts';

export interface SessionPolicy {
  readonly fromClient: ScannerLimits;
  readonly fromBackend: ScannerLimits;
  /** Bytes a slower peer may leave untaken before the other one is not read any more. */
  readonly bufferedBytesMax: number;
  readonly idleMs: number;
  readonly messageStallMs: number;
  readonly writeStallMs: number;
  readonly closeMs: number;
  /** Codes towards the client that replace the defaults of END_CAUSES. */
  readonly closeCodes: Readonly<Partial<Record<EndCause, number>>>;
}
