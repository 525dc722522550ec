// What a demand is: one thing that framegate must show in full size, on real processes over loopback; and what was
// found out about it.

export interface Demand {
  /** What `npm run scale -- --only NAME` calls it. */
  readonly name: string;
  readonly title: string;
  /** Open files that one of its processes needs. */
  readonly openFiles: number;
  run(task: Task): Promise<void>;
}

/** One run of one demand. */
export interface Task {
  readonly seed: number;
  readonly findings: Findings;
  /** `full` in full size; less of it, but at least `least`, in a run that is only a quick look. */
  size(full: number, least: number): number;
  /** True in full size: only then what was measured says something. */
  readonly isFull: boolean;
  /** Runs at the end of the demand, whatever came of it; the last first. */
  atEnd(undo: () => void | Promise<void>): void;
}

/** Says what was found, line by line, and remembers what was not met. */
export class Findings {
  readonly unmet: string[] = [];
  private readonly say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.say = say;
  }

  check(what: string, isMet: boolean, seen: string): void {
    this.say(`  ${isMet ? 'met    ' : 'NOT MET'}  ${what}: ${seen}`);
    if (!isMet) this.unmet.push(what);
  }

  /** Both are turned into text: the one place where what was seen is compared with what must be. */
  equal(what: string, seen: unknown, wanted: unknown): void {
    const [one, other] = [JSON.stringify(seen), JSON.stringify(wanted)];
    this.check(what, one === other, one === other ? (one ?? '') : `${one}, not ${other}`);
  }

  figure(what: string, value: string): void {
    this.say(`           ${what}: ${value}`);
  }
}

/** How often each value is there. */
export function countsOf(values: readonly unknown[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
}
