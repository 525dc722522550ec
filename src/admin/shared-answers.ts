// Views that cost work: one of each kind is made at a time, in slices of the event loop, and whoever asks for the same
// while it waits for its turn gets the same. It holds no answer longer than those who asked for it.

import type { Slices, Steps } from '../limits/slices.ts';
import type { Answer } from './answer.ts';

interface Kind {
  /** The end of the last one that was asked for. */
  tail: Promise<unknown>;
  /** Not begun, by what was asked: at most one for each connection that waits. */
  readonly waiting: Map<string, Promise<Answer>>;
}

export class SharedAnswers {
  private readonly slices: Slices;
  /** At most the endpoints there are. */
  private readonly kinds = new Map<string, Kind>();

  constructor(slices: Slices) {
    this.slices = slices;
  }

  /**
   * `question` is a kind with its parameters. What has begun was begun before this was asked, and may miss what the
   * asker did before: such an answer is nobody else's.
   */
  ask(kind: string, question: string, make: () => Promise<Steps<Answer>>): Promise<Answer> {
    let own = this.kinds.get(kind);
    if (own === undefined) {
      own = { tail: Promise.resolve(), waiting: new Map() };
      this.kinds.set(kind, own);
    }
    const { tail, waiting } = own;
    const known = waiting.get(question);
    if (known !== undefined) return known;
    const next = tail.then(async () => {
      waiting.delete(question);
      return this.slices.run(await make());
    });
    own.tail = next.catch(() => {});
    waiting.set(question, next);
    return next;
  }
}
