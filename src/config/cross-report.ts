// What checks across keys are given, and how they say what they find. Types only.

import type { PathSegments } from './problems.ts';

/** `at`: the value, unless it is told that the key is what is wrong, whatever it holds. */
export type CrossReport = (
  severity: 'error' | 'warning',
  path: PathSegments,
  message: string,
  at?: 'key' | 'value',
) => void;

/** What the text says, also where it is wrong: a reference to a faulty name is no second fault. */
export interface Written {
  readonly listeners: ReadonlySet<string>;
  readonly upstreams: ReadonlySet<string>;
  /** Of `auth`. */
  readonly methods: ReadonlySet<string>;
  /** Whether the text says it, however. */
  readonly isGiven: (path: PathSegments) => boolean;
  /** Something at, in or around this path has been reported. */
  readonly isFaulty: (path: PathSegments) => boolean;
}
