// For each of K60 to K64, restarts that go wrong, the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const RESTART_MUTANTS: readonly Mutant[] = [
  { row: 'K60', at: 'Restarts.start', search: 'wheel.schedule(late, clock.now() + READY_MS);', replace: '' },
  { row: 'K60', at: 'Restarts.start', search: 'if (why !== null) this.next?.kill();', replace: '' },
  { row: 'K61', at: 'Restarts.run', search: 'if (this.giveUp !== null)', replace: 'if (this.hasHandedOver)' },
  { row: 'K62', at: 'Revocations.add', search: 'if (this.isSealed)', replace: 'if (this.max < 0)' },
  { row: 'K63', at: 'Listeners.inOrder', search: 'isHanded(a) - isHanded(b)', replace: 'a[0] - b[0]' },
  { row: 'K64', at: 'activationSockets', search: 'forPid !== String(pid) ||', replace: '' },
];
