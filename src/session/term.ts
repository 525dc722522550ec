// When what a session stands on ends: what its timer asks of whoever knows. A type only.

export interface SessionTerm {
  /** When to look, by the monotonic clock; Infinity: never. */
  readonly lookAt: number;
  /** Whether it has ended. If not, `lookAt` is a later one. */
  hasEnded(now: number): boolean;
}
