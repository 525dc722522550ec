// Why a session may end and what each side has to be told then: the table of README and of the operators' contract,
// written down once more, so that a slip in src/ is seen.

import { brokenRuleCodes } from '../../reference/frames.ts';

export type SideName = 'client' | 'backend';

export type CauseKind =
  /** A peer's own Close goes through. */
  | 'relayed'
  /** Somebody's bytes, or their lack, broke a rule: the other side is told first. */
  | 'culprit'
  /** That side is gone or cut off; only the other one is told. */
  | 'cut'
  /** Too slow a reader: both are told, that side at a frame boundary only. */
  | 'slow'
  /** As `slow`, with the client as the slow one, whoever it was. */
  | 'shed'
  /** Nobody's fault: the client first, the backend when the client has answered. */
  | 'orderly'
  | 'forced';

export interface CauseRow {
  readonly kind: CauseKind;
  readonly by: SideName | null;
  /** Code of our own Close; null where none is sent. */
  readonly client: number | null;
  readonly backend: number | null;
}

const rows = new Map<string, CauseRow>();

function addPair(what: string, kind: CauseKind, ownCode: number | null, clientToldOfBackend: number): void {
  rows.set(`client_${what}`, { kind, by: 'client', client: ownCode, backend: 1001 });
  rows.set(`backend_${what}`, { kind, by: 'backend', client: clientToldOfBackend, backend: ownCode });
}

// Our own Close after a relayed one: to whom did not close, when the other side ends without an answer.
rows.set('client_close', { kind: 'relayed', by: 'client', client: 1012, backend: 1001 });
rows.set('backend_close', { kind: 'relayed', by: 'backend', client: 1012, backend: 1001 });
for (const [rule, code] of Object.entries(brokenRuleCodes)) addPair(rule, 'culprit', code, 1011);
addPair('rate', 'culprit', 1008, 1011);
addPair('message_stall', 'culprit', 1008, 1011);
addPair('lost', 'cut', null, 1012);
addPair('stalled', 'cut', null, 1012);
addPair('pong_timeout', 'cut', null, 1012);
rows.set('client_slow', { kind: 'slow', by: 'client', client: 1013, backend: 1001 });
rows.set('backend_slow', { kind: 'slow', by: 'backend', client: 1012, backend: 1001 });
rows.set('overload', { kind: 'shed', by: null, client: 1013, backend: 1001 });
rows.set('idle', { kind: 'orderly', by: null, client: 1001, backend: 1001 });
for (const cause of ['drain', 'lifetime', 'route_removed', 'target_removed', 'target_drain', 'rebalance']) {
  rows.set(cause, { kind: 'orderly', by: null, client: 1012, backend: 1001 });
}
rows.set('admin', { kind: 'orderly', by: null, client: 1008, backend: 1001 });
rows.set('forced', { kind: 'forced', by: null, client: null, backend: null });

export function causeRow(cause: string): CauseRow {
  const row = rows.get(cause);
  if (row === undefined) throw new Error(`no end is called ${cause}`);
  return row;
}
