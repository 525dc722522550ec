// Inputs that once broke something. Each is run again by the tests, for ever.

export interface Crash {
  readonly target: string;
  /** What it broke. */
  readonly title: string;
  /** One character per byte. */
  readonly input: string;
}

export const CRASHES: readonly Crash[] = [
  {
    target: 'config',
    title: 'a fault for each quote of a line, each of which looked through the line for its value',
    input: '"'.repeat(1024 * 1024),
  },
  {
    target: 'config',
    title: 'an unknown key for each word of a line, each of which looked for a comment in it',
    input: `{${Array.from({ length: 20_000 }, (_, i) => `k${i},`).join('')}}`,
  },
  {
    target: 'config',
    title: 'a line end of another kind in the words of a problem',
    input: '>\r',
  },
  {
    target: 'config',
    title: 'more routes than a call takes arguments',
    input: `routes:\n${' - {}\n'.repeat(170_000)}`,
  },
];
