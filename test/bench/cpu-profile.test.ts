import { expect, test } from 'vitest';
import { selfShares } from '../../bench/profile/cpu-profile.ts';

const node = (id: number, functionName: string, url = '') => ({ id, callFrame: { functionName, url } });

test('self time is added up by function, without what the process was idle', () => {
  const profile = {
    nodes: [
      node(1, '(idle)'),
      node(2, 'onBytes', 'file:///x/dist/session/peer.js'),
      node(3, 'writeBuffer'),
      node(4, 'onBytes', 'file:///x/dist/session/peer.js'),
      node(5, '', 'node:internal/timers'),
    ],
    samples: [1, 2, 3, 4, 5],
    timeDeltas: [1_000, 10, 60, 20, 10],
  };
  expect(selfShares(profile)).toEqual([
    { name: 'writeBuffer', share: 0.6 },
    { name: 'onBytes (session/peer.js)', share: 0.3 },
    { name: '(anonymous) (internal/timers)', share: 0.1 },
  ]);
});

test('a profile without samples has no shares', () => {
  expect(selfShares({ nodes: [], samples: [], timeDeltas: [] })).toEqual([]);
});
