import { expect, test } from 'vitest';
import { RandomIds } from '../../src/edge/random-ids.ts';
import { upgradeRequest } from '../support/wire.ts';
import { Rig } from './rig.ts';

test('ids are 32 hex digits, no two alike, across batches', () => {
  const ids = new RandomIds();
  const made = Array.from({ length: 10_000 }, () => ids.next());
  expect(made.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
  expect(new Set(made).size).toBe(made.length);
});

test('neighbours have nothing in common: an id tells neither who made it nor how many there were', () => {
  const ids = new RandomIds();
  const made = Array.from({ length: 1_000 }, () => ids.next());
  for (let at = 0; at < 32; at += 1) {
    // 16 digits, each about 62 times of 1000.
    const digits = new Set(made.map((id) => id.charAt(at)));
    expect(digits.size).toBe(16);
  }
});

test('neither request ids nor session ids hold the name in Via', async () => {
  const rig = new Rig();
  await rig.open();
  rig.connect(upgradeRequest({ path: '/nowhere' }));
  const [record] = rig.edge.sessions;
  const refused = rig.tap.lines.find(({ event }) => event === 'handshake.refused');
  for (const id of [record?.facts.session, record?.facts.request_id, String(refused?.request_id)]) {
    expect(id).not.toContain(rig.edge.instanceId);
  }
});
