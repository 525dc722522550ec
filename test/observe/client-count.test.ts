import { expect, test } from 'vitest';
import { ClientCount } from '../../src/observe/client-count.ts';

test('addresses are counted once each, up to 100', () => {
  const clients = new ClientCount();
  for (let round = 0; round < 3; round += 1) {
    for (let host = 1; host <= 99; host += 1) clients.add(`192.0.2.${host}`);
  }
  expect(clients.count).toBe(99);
  for (let host = 1; host <= 99; host += 1) clients.add(`2001:db8::${host}`);
  expect(clients.count).toBe(100);
});
