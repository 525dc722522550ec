// For each row about configs on their way in and the log on its way out the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const PROCESS_MUTANTS: readonly Mutant[] = [
  {
    row: 'F40',
    at: 'buildUpstream',
    search: 'url: shown(url.text, index),',
    replace: 'url: url.text,',
  },
  {
    row: 'F40',
    at: 'checkSecrets',
    search: "if (isSecret([...at, 'url']) && target.name === undefined)",
    replace: "if (isSecret([...at, 'url']) && target.name === '')",
  },
  {
    row: 'F41',
    at: 'config',
    search: "least: 'needs at least one route',",
    replace: 'default: [],',
  },
  {
    row: 'F42',
    at: 'openNow',
    search: 'constants.O_RDONLY | constants.O_NONBLOCK',
    replace: 'constants.O_RDONLY',
    why: 'opening a pipe waits for its writer',
  },
  {
    row: 'F43',
    at: 'NEVER_COUNTED',
    search: "new Set(['session.end'])",
    replace: 'new Set([])',
  },
  {
    row: 'F43',
    at: 'LogGate.admit',
    search: 'this.passed >= this.linesMax || ',
    replace: '',
  },
];
