// What the checks tell of a request, whatever becomes of it: it goes into its line in the log, and is counted.

import type { RelaxedCheck } from '../protocol/relax.ts';
import type { JudgedRequest } from '../protocol/request-place.ts';
import type { Route } from './snapshot.ts';

export interface AskedRecord {
  noteRequest(request: JudgedRequest): void;
  noteRoute(route: Route): void;
  /** A method has found something, and knows whose it is or does not. */
  noteAuth(auth: string, identity: string | null): void;
  /** What a route takes out of an offer. */
  noteProtocols(offered: readonly string[], kept: readonly string[]): void;
  /** What passed only because its check is switched off. */
  noteRelaxed(checks: readonly RelaxedCheck[]): void;
  /** A limit stands against it: its config key. */
  noteLimit(limit: string): void;
}
