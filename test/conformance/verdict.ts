// What a case makes of a peer: a verdict on its behaviour and one on how the connection ended, each with an order,
// so that two runs of one case can be compared. It opens no sockets.

/** Behaviour, best first. INFORMATIONAL: the case has no right answer. UNIMPLEMENTED: the peer cannot play it. */
export type Behaviour = 'OK' | 'NON-STRICT' | 'FAILED' | 'INFORMATIONAL' | 'UNIMPLEMENTED';

/** The end of the connection, best first. WRONG END: TCP was dropped by the side that should have waited. */
export type CloseBehaviour = 'OK' | 'WRONG CODE' | 'WRONG END' | 'UNCLEAN' | 'FAILED' | 'INFORMATIONAL';

const BEHAVIOUR_RANK: Record<Behaviour, number> = {
  OK: 0,
  INFORMATIONAL: 0,
  UNIMPLEMENTED: 0,
  'NON-STRICT': 1,
  FAILED: 2,
};

const CLOSE_RANK: Record<CloseBehaviour, number> = {
  OK: 0,
  INFORMATIONAL: 0,
  'WRONG CODE': 1,
  'WRONG END': 2,
  UNCLEAN: 3,
  FAILED: 4,
};

/** One list of events that a peer may answer with, and what it then earns. */
export interface Expectation {
  readonly verdict: 'OK' | 'NON-STRICT';
  readonly events: readonly string[];
}

export interface CloseExpectation {
  /** Who has to send the first Close. */
  readonly by: 'fuzzer' | 'peer';
  /** Codes that are right in the peer's Close; null is a Close without a code. Empty: anything is. */
  readonly codes: readonly (number | null)[];
}

/** What was seen of one connection. */
export interface Outcome {
  readonly role: 'client' | 'server';
  readonly events: readonly string[];
  /** A rule of RFC 6455 that the peer itself broke. */
  readonly illegal: string | null;
  readonly unimplemented: boolean;
  /** The peer's Close came before the fuzzer sent one. */
  readonly peerClosedFirst: boolean;
  readonly fuzzerClosed: boolean;
  readonly peerClose: { readonly code: number | null; readonly reason: string } | null;
  /** Whose FIN was first; null when neither sent one. */
  readonly droppedBy: 'peer' | 'fuzzer' | null;
  readonly reset: boolean;
}

export interface Verdict {
  readonly behaviour: Behaviour;
  readonly close: CloseBehaviour;
  /** The reason text of the peer's Close. */
  readonly reason: string;
  /** What was seen, for people. */
  readonly story: string;
}

export interface Judged {
  readonly expect: readonly Expectation[];
  readonly close: CloseExpectation;
  /** The case has no right answer. */
  readonly informational?: boolean;
}

export function judge(rules: Judged, outcome: Outcome): Verdict {
  return {
    behaviour: judgeBehaviour(rules, outcome),
    close: rules.informational === true || outcome.unimplemented ? 'INFORMATIONAL' : judgeClose(rules.close, outcome),
    reason: outcome.peerClose?.reason ?? '',
    story: storyOf(outcome),
  };
}

/** True when `after` is worse than `before` in behaviour or in close behaviour. */
export function isWorse(after: Verdict, before: Verdict): boolean {
  return behaviourGain(after, before) < 0 || closeGain(after, before) < 0;
}

export function isBetter(after: Verdict, before: Verdict): boolean {
  return behaviourGain(after, before) > 0 || closeGain(after, before) > 0;
}

/** `OK / WRONG CODE` */
export function verdictText(verdict: Verdict): string {
  return `${verdict.behaviour} / ${verdict.close}`;
}

function behaviourGain(after: Verdict, before: Verdict): number {
  return BEHAVIOUR_RANK[before.behaviour] - BEHAVIOUR_RANK[after.behaviour];
}

function closeGain(after: Verdict, before: Verdict): number {
  return CLOSE_RANK[before.close] - CLOSE_RANK[after.close];
}

function judgeBehaviour(rules: Judged, outcome: Outcome): Behaviour {
  if (outcome.unimplemented) return 'UNIMPLEMENTED';
  if (outcome.illegal !== null) return 'FAILED';
  if (rules.informational === true) return 'INFORMATIONAL';
  const seen = JSON.stringify(outcome.events);
  return rules.expect.find((one) => JSON.stringify(one.events) === seen)?.verdict ?? 'FAILED';
}

function judgeClose(expected: CloseExpectation, outcome: Outcome): CloseBehaviour {
  const { role, peerClose, droppedBy } = outcome;
  if (expected.by === 'fuzzer' && (outcome.peerClosedFirst || !outcome.fuzzerClosed)) return 'FAILED';
  if (expected.by === 'peer' && droppedBy === 'fuzzer' && peerClose === null) return 'FAILED';
  if (peerClose === null || outcome.reset) return 'UNCLEAN';
  // RFC 6455 7.1.1: the server closes TCP first, unless a connection is failed (7.1.7).
  if (role === 'client' && droppedBy !== 'peer') return 'WRONG END';
  if (role === 'server' && expected.by === 'fuzzer' && droppedBy !== 'fuzzer') return 'WRONG END';
  return expected.codes.length === 0 || expected.codes.includes(peerClose.code) ? 'OK' : 'WRONG CODE';
}

function storyOf(outcome: Outcome): string {
  const { peerClose } = outcome;
  const close =
    peerClose === null ? 'no Close' : `Close ${peerClose.code ?? 'empty'} ${JSON.stringify(peerClose.reason)}`;
  const first = outcome.peerClosedFirst ? 'of its own' : outcome.fuzzerClosed ? 'as an answer' : '';
  const end = outcome.reset ? 'reset' : `dropped by ${outcome.droppedBy ?? 'nobody'}`;
  const illegal = outcome.illegal === null ? '' : `; illegal: ${outcome.illegal}`;
  return `[${outcome.events.join(', ')}]; ${close} ${first}; ${end}${illegal}`;
}
