// For each row about configs on their way in and the log on its way out the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const PROCESS_MUTANTS: readonly Mutant[] = [
  {
    row: 'F40',
    file: 'src/config/build.ts',
    search: 'url: shown(target.url.text, index),',
    replace: 'url: target.url.text,',
  },
  {
    row: 'F40',
    file: 'src/config/check-secrets.ts',
    search: "if (isSecret([...at, 'url']) && target.name === undefined)",
    replace: "if (isSecret([...at, 'url']) && target.name === '')",
  },
  {
    row: 'F41',
    file: 'src/config/schema.ts',
    search: "documented(z.array(route).min(1, { error: 'needs at least one route' }), 'Which request goes where.', {",
    replace: "documented(z.array(route).prefault([]), 'Which request goes where.', {",
  },
  {
    row: 'F42',
    file: 'src/cli/read-file.ts',
    search: 'constants.O_RDONLY | constants.O_NONBLOCK',
    replace: 'constants.O_RDONLY',
    why: 'opening a pipe waits for its writer',
  },
  {
    row: 'F43',
    file: 'src/observe/log-gate.ts',
    search: "new Set(['session.end'])",
    replace: 'new Set([])',
  },
  {
    row: 'F43',
    file: 'src/observe/log-gate.ts',
    search: 'this.passed >= this.linesMax || ',
    replace: '',
  },
];
