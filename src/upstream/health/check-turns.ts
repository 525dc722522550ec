// Which checks are under way now and which wait: a bounded number of all upstreams together, first come first served,
// so that a thousand targets that hang take neither the descriptors nor the turns of sessions.

import { Chain, Link } from '../../limits/chain.ts';

/** Each has one descriptor: a quarter of the 1024 that a process often has. */
export const CHECKS_MAX = 256;

type State = 'waiting' | 'under way' | 'over';

export class CheckTurn {
  state: State = 'waiting';
  readonly link: Link<CheckTurn> = new Link<CheckTurn>(this);
  readonly begin: () => void;

  constructor(begin: () => void) {
    this.begin = begin;
  }
}

export class CheckTurns {
  private readonly max: number;
  private readonly waiting = new Chain<CheckTurn>();
  private underWay = 0;

  constructor(max = CHECKS_MAX) {
    this.max = max;
  }

  /** `begin` is called at once, or when others have left. The turn is given back once, with `leave`. */
  take(begin: () => void): CheckTurn {
    const turn = new CheckTurn(begin);
    if (this.underWay < this.max) this.begin(turn);
    else this.waiting.append(turn.link);
    return turn;
  }

  /** Idempotent. */
  leave(turn: CheckTurn): void {
    const { state } = turn;
    turn.state = 'over';
    this.waiting.remove(turn.link);
    if (state !== 'under way') return;
    this.underWay -= 1;
    const { first } = this.waiting;
    if (first === null) return;
    this.waiting.remove(first.link);
    this.begin(first);
  }

  private begin(turn: CheckTurn): void {
    this.underWay += 1;
    turn.state = 'under way';
    turn.begin();
  }
}
