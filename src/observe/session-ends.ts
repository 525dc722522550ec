// How sessions of a route ended, counted by all that tells ends apart.

import { type Counted, numbersOf } from './counted.ts';

export type EndedBy = 'client' | 'backend' | 'proxy';

/** One way in which sessions ended, and how many. */
interface EndCount {
  readonly by: EndedBy;
  readonly reason: string;
  /** Class of the close code: see `codeLabel`. */
  readonly code: string;
  count: number;
}

export class SessionEnds implements Counted {
  /** At most the causes of an end times the 19 classes of codes. */
  private readonly ends = new Map<string, EndCount>();

  /** `code`: what the client's Close said, null when it got none. */
  add(by: EndedBy, reason: string, code: number | null): void {
    this.count(by, reason, codeLabel(code), 1);
  }

  all(): Iterable<EndCount> {
    return this.ends.values();
  }

  dump(): unknown {
    if (this.ends.size === 0) return undefined;
    return new Map(Array.from(this.ends, ([key, { count }]) => [key, count]));
  }

  addDump(dump: unknown): void {
    for (const [key, count] of numbersOf(dump)) {
      const [by = '', reason = '', code = ''] = key.split(' ');
      this.count(by as EndedBy, reason, code, count); // the key of one
    }
  }

  private count(by: EndedBy, reason: string, code: string, times: number): void {
    const key = `${by} ${reason} ${code}`;
    const known = this.ends.get(key);
    if (known === undefined) this.ends.set(key, { by, reason, code, count: times });
    else known.count += times;
  }
}

/** A peer chooses its code, so only classes become a label: 1000 to 1014 as they are, 3xxx, 4xxx, or none. */
export function codeLabel(code: number | null): string {
  if (code === null) return 'none';
  if (code >= 1000 && code <= 1014) return String(code);
  if (code >= 3000 && code <= 3999) return '3xxx';
  return code >= 4000 && code <= 4999 ? '4xxx' : 'none';
}
