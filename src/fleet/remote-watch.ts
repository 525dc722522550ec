// What the sessions and dials of a worker say of a target, told to the primary, which judges by it. What could change
// nothing there is not told.

import type { PartHost } from '../upstream/part.ts';
import type { Target } from '../upstream/target.ts';
import type { TargetWatch } from '../upstream/target-watch.ts';
import type { DeskAsk, ToldState, WatchMethod } from './desk-messages.ts';

export class RemoteWatch implements TargetWatch {
  /** The primary has them. */
  readonly failures = 0;
  private readonly host: PartHost;
  private readonly target: Target;
  private readonly post: (message: DeskAsk) => void;
  private readonly state: () => ToldState | undefined;

  constructor(host: PartHost, target: Target, post: (message: DeskAsk) => void, state: () => ToldState | undefined) {
    this.host = host;
    this.target = target;
    this.post = post;
    this.state = state;
  }

  dialSucceeded(): void {
    if (this.state()?.failing === true) this.tell('dialSucceeded');
  }

  dialFailed(trial: number): void {
    this.tell('dialFailed', trial);
  }

  answeredBadly(client: string, trial: number): void {
    if (this.isJudged) this.tell('answeredBadly', client, trial);
  }

  answeredWell(trial: number): void {
    if (trial !== 0) this.tell('answeredWell', trial);
  }

  /** The primary knows by what the seat has become. */
  sessionBegan(): void {}

  sessionEnding(client: string, livedMs: number, isLost: boolean, trial: number): void {
    if (trial !== 0 || (isLost && this.isJudged)) this.tell('sessionEnding', client, livedMs, isLost, trial);
  }

  sessionEnded(isWell: boolean, trial: number): void {
    if (trial !== 0) this.tell('sessionEnded', isWell, trial);
  }

  /** The primary knows: it has the slot back. */
  left(): void {}

  private get isJudged(): boolean {
    return this.host.config.health.passive !== 'off';
  }

  /** Of one that is gone the primary may have another one of the same name. */
  private tell(method: WatchMethod, ...values: unknown[]): void {
    if (!this.target.gone) this.post(['watch', this.host.name, this.target.name, method, ...values]);
  }
}
