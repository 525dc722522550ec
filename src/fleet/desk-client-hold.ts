// A worker's hold on a target: chosen and counted by the primary, dialed here. That of a handshake goes with its seat;
// that of a request without upgrade stands for itself.

import { TargetHold } from '../edge/target-hold.ts';
import type { NotChosen, TargetAsk } from '../upstream/choose-target.ts';
import type { Target } from '../upstream/target.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { RemoteSeat } from './desk-client-seats.ts';
import type { DeskLine } from './desk-line.ts';
import type { Answer } from './desk-messages.ts';

export class RemoteHold extends TargetHold {
  private readonly line: DeskLine;
  private seat: RemoteSeat | null = null;
  /** As the primary knows it, where it has no seat; 0: it does not. */
  private ownId = 0;
  /** Whose target came with its turn, and was not asked for yet. */
  private granted: Upstream | null = null;
  private trialTold = 0;
  /** The question that is not answered yet; 0: none. */
  private asked = 0;

  constructor(line: DeskLine) {
    super();
    this.line = line;
  }

  /** It goes back with that seat. */
  bind(seat: RemoteSeat): void {
    this.seat = seat;
  }

  /** With its turn it has got its first target. */
  grant(upstream: Upstream, target: Target, trial: number): void {
    this.granted = upstream;
    this.hold(target, trial);
  }

  override choose(ask: TargetAsk): Target | NotChosen | Promise<Target | NotChosen> {
    const { granted, target } = this;
    this.granted = null;
    if (target !== null && granted === ask.upstream && !ask.isRetry) return target;
    return this.chooseThere(ask);
  }

  private chooseThere({ upstream, tried, key, isRetry }: TargetAsk): Promise<Target | NotChosen> {
    const { line } = this;
    const ask = line.newId();
    this.asked = ask;
    const names = [...tried].map(({ name }) => name);
    line.post(['choose', ask, this.id(), [upstream.name, key, names, isRetry]]);
    return new Promise((resolve) => {
      line.expect(ask, (answer) => resolve(this.onAnswer(ask, upstream, answer)));
    });
  }

  /** One that comes when it was left meanwhile holds nothing: that was given back by leaving. */
  private onAnswer(ask: number, upstream: Upstream, answer: Answer): Target | NotChosen {
    const isWaited = this.asked === ask;
    if (isWaited) this.asked = 0;
    if (answer[0] === 'none') {
      upstream.toldRoom = answer[3];
      return answer[2];
    }
    const target = isWaited && answer[0] === 'go' ? upstream.target(answer[2]) : undefined;
    if (target === undefined) return { kind: 'none', cause: 'none is known', targets: upstream.noRoom };
    this.hold(target, answer[0] === 'go' ? answer[3] : 0);
    return target;
  }

  private hold(target: Target, trial: number): void {
    this.trialTold = trial;
    this.take(target);
  }

  protected override acquire(target: Target): number {
    target.acquire();
    return this.trialTold;
  }

  override become(use: 'session' | 'request'): void {
    super.become(use);
    this.line.post([use, this.id()]);
  }

  override beginEnd(): void {
    if (this.use === 'session') this.line.post(['ending', this.id()]);
    super.beginEnd();
  }

  override leave(): void {
    this.granted = null;
    this.asked = 0;
    try {
      super.leave();
    } finally {
      if (this.ownId !== 0) this.line.post(['leave', this.ownId]);
      this.ownId = 0;
    }
  }

  private id(): number {
    if (this.seat !== null) return this.seat.id;
    if (this.ownId === 0) this.ownId = this.line.newId();
    return this.ownId;
  }
}
