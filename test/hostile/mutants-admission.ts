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
  {
    row: 'E52',
    file: 'src/edge/handshake-slots.ts',
    search: 'if (queue !== undefined) this.noteRoom(queue);\n      this.pumpSoon();',
    replace: '',
    why: 'whoever waits is not told that there is room',
  },
  {
    row: 'E53',
    file: 'src/edge/snapshot.ts',
    search: 'made.handshakesMax = handshakesMaxOf(upstream, config);',
    replace: '',
    why: 'one upstream may have all',
  },
];
