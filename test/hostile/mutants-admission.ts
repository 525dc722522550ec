// For each row about what a handshake takes and waits for the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const ADMISSION_MUTANTS: readonly Mutant[] = [
  {
    row: 'E50',
    file: 'src/edge/connection.ts',
    search: "if (state.kind === 'opening') state.handshake.leave();\n      this.transport.destroy();",
    replace: 'this.transport.destroy();',
    why: 'a connection that is cut off keeps its seat, its slot and its backend',
  },
  {
    row: 'E51',
    file: 'src/edge/connection.ts',
    search: 'if (closed !== null) {',
    replace: 'if (closed === undefined) {',
    why: 'what was decided at the head is not looked at again',
  },
];
