import { expect, test } from 'vitest';
import { relaxedLines, relaxedUses } from '../../src/observe/relax-advice.ts';

test('each check that is switched off says where, and how often it was needed', () => {
  const settings = { route: ['key', 'connection_token'], upstream: ['accept'], upstreamName: 'devices' };
  const used = new Map([
    ['key', 1200],
    ['accept', 1],
  ]);
  const uses = relaxedUses(settings, (check) => used.get(check) ?? 0);
  expect(relaxedLines(uses)).toEqual([
    '',
    '  checks that are switched off',
    '    key: would have refused 1 200 times; routes[].relax lets it pass',
    '    connection_token: not needed so far; take it out of routes[].relax',
    '    accept: would have refused once; upstreams.devices.relax lets it pass',
  ]);
});

test('where none is switched off there is nothing to say', () => {
  expect(relaxedLines(relaxedUses({ route: [], upstream: [], upstreamName: 'a' }, () => 7))).toEqual([]);
});
