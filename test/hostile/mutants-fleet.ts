// For each of K40 to K42, several processes behind one admin listener, the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const FLEET_MUTANTS: readonly Mutant[] = [
  { row: 'K40', at: 'FleetSight.view', search: 'fleet.isSilent(worker)', replace: 'fleet.hasLeft(worker)' },
  {
    row: 'K40',
    at: 'Fleet.answer',
    search: 'if (!isKnown && !this.left.has(worker)) {',
    replace: 'if (question === `` && isKnown) {',
    why: 'nobody is told',
  },
  {
    row: 'K41',
    at: 'FleetSight.bury',
    search: 'isGone: true',
    replace: 'isGone: false',
    why: 'what it had open stays open for ever',
  },
  {
    row: 'K41',
    at: 'FleetSight.bury',
    search: 'const { facts, parts } = known.full ?? known.last;',
    replace: 'const { facts, parts } = { ...known.last, parts: [] };',
    why: 'its counts are lost',
  },
  { row: 'K42', at: 'Fleet.first', search: 'answered.includes(false)', replace: 'answered.length < 0' },
];
