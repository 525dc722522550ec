// The life of a certificate that framegate gets by itself, by a clock that the test moves.

import { expect, test } from 'vitest';
import { AcmeRig } from './rig.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

test.each(['http-01', 'tls-alpn-01'] as const)('one is got at the start by %s, and kept', async (challenge) => {
  const rig = new AcmeRig();
  rig.authority.challenge = challenge;
  const settings = await rig.start({ challenge });
  expect(rig.served(settings)).toBe(null);
  expect(await rig.untilLogged('acme.obtained')).toMatchObject({ level: 'info', name: 'a.test', by: 'this process' });
  expect(rig.served(settings)).toMatchObject({ names: ['a.test'], name: 'a.test' });
  expect(rig.metrics.acmeOrders.of('ok')).toBe(1);
  await rig.untilKept();
  await rig.stop();
  expect(rig.files().map((name) => name.replace(/[0-9a-f]{16}/, '#'))).toEqual([
    'a.test-#.pem',
    'account-#.json',
    'attempts-a.test-#.json',
    'challenges',
    'lock-1',
  ]);
});

test('what is kept is served at once by the next process, and not ordered again', async () => {
  const rig = new AcmeRig();
  await rig.start();
  await rig.untilLogged('acme.obtained');
  await rig.untilKept();
  await rig.stop();
  const next = new AcmeRig(rig.folder);
  next.wallOffset = rig.wallNow() - next.clock.now();
  const settings = await next.start();
  expect(next.served(settings)?.name).toBe('a.test');
  await next.pass(30 * DAY_MS);
  expect(next.authority.asked).toEqual([]);
});

test('another process serves what it is told of, before it is in the folder, and orders nothing', async () => {
  const rig = new AcmeRig();
  const follower = new AcmeRig(rig.folder);
  const settings = await follower.reload();
  await rig.reload();
  rig.certificates.onServed = () => follower.certificates.follow(rig.certificates.served.map((one) => ({ ...one })));
  expect(follower.served(settings)).toBe(null);
  rig.certificates.begin();
  await rig.untilLogged('acme.obtained');
  const first = follower.served(settings);
  expect(first?.name).toBe('a.test');
  // It comes again with each reload.
  await rig.reload();
  expect(follower.served(settings)).toBe(first);
  await rig.pass(60 * DAY_MS - HOUR_MS);
  await rig.untilLogged('acme.obtained', 2);
  expect(follower.served(settings)?.not_after).toBeGreaterThan(first?.not_after ?? 0);
  expect(follower.authority.asked).toEqual([]);
});

test('it is renewed at two thirds of its life, not before', async () => {
  const rig = new AcmeRig();
  const settings = await rig.start();
  await rig.untilLogged('acme.obtained');
  const first = rig.served(settings);
  await rig.pass(60 * DAY_MS - HOUR_MS);
  expect(rig.authority.orders).toHaveLength(1);
  expect(rig.served(settings)).toBe(first);
  await rig.untilLogged('acme.obtained', 2);
  expect(rig.wallNow() - (first?.not_before ?? 0)).toBeLessThan(60 * DAY_MS + HOUR_MS);
  expect(rig.served(settings)?.not_after).toBeGreaterThan(first?.not_after ?? 0);
  expect(rig.authority.accounts).toBe(1);
});
