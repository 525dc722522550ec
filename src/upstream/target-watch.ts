// What is told of the sessions of a target, to who judges by it whether others may go there. Types only.

/** `trial`: what `Target.acquire` gave whom it is told of. */
export interface TargetWatch {
  /** Those that count now. */
  readonly failures: number;
  dialSucceeded?(): void;
  /** A dial failed, for a reason that lies with the target or the way to it. */
  dialFailed(trial: number): void;
  /** It has answered the request of `client` with what is no answer, with 502 to 504, or not in time. */
  answeredBadly(client: string, trial: number): void;
  /** It has answered a request without upgrade, or refused one for a reason of its own: it works. */
  answeredWell(trial: number): void;
  sessionBegan(trial: number): void;
  /** There is a cause for its end. `isLost`: the backend broke off, or broke the protocol. */
  sessionEnding(client: string, livedMs: number, isLost: boolean, trial: number): void;
  /** A trial's. `isWell`: in order, by a Close both ways, or the backend's own. */
  sessionEnded(isWell: boolean, trial: number): void;
  /** The slot of a trial went back; what came of it was told before. */
  left(trial: number): void;
}
