// Certificates from a real authority where more than one thing is at it: processes that share a folder, an authority
// that wants to know whose account it is, and a reload in the middle.

import { describe, expect, test } from 'vitest';
import { startProxy } from '../support/harness.ts';
import { freePort, hasPebble } from '../support/pebble.ts';
import { configOf, newPlace, servedTo } from './acme-place.ts';

const TEST_MS = 60_000;
const patient = { deadlineMs: TEST_MS };

describe.runIf(hasPebble)('from pebble', { timeout: TEST_MS }, () => {
  test('of processes with one dir one orders, whoever is asked proves the names, and all serve it', async () => {
    const place = await newPlace();
    const elsewhere = { ...place, tlsPort: await freePort(), httpPort: await freePort() };
    // Where nobody comes to: it is the other one that is asked.
    const ordering = await startProxy(configOf(elsewhere), patient);
    const asked = await startProxy(configOf(place), patient);
    const told = await Promise.all([ordering.waitForLog('acme.obtained'), asked.waitForLog('acme.obtained')]);
    expect(told.map(({ by }) => by).sort()).toEqual(['another process', 'this process']);
    const roots = await place.pebble.roots();
    for (const { tlsPort } of [place, elsewhere])
      expect(await servedTo(tlsPort, 'a.test', roots)).toMatch('DNS:a.test');
  });

  test('an account that belongs to somebody, and a key of RSA', async () => {
    const hmac = Buffer.alloc(32, 7).toString('base64url');
    const place = await newPlace({ eab: { 'kid-1': hmac } });
    const wrong = { key: 'rsa', eab: { kid: 'kid-1', hmac: Buffer.alloc(32, 8).toString('base64url') } } as const;
    const running = await startProxy(configOf(place, wrong), patient);
    expect(await running.waitForLog('acme.failed')).toMatchObject({
      fault: 'refused',
      do: expect.stringContaining('eab'),
    });
    // What was wrong is another: nothing is waited for.
    const right = { ...wrong, eab: { kid: 'kid-1', hmac } };
    expect(await running.proxy.reload(configOf(place, right))).toMatchObject({ ok: true });
    await running.waitForLog('acme.obtained');
    expect(await servedTo(place.tlsPort, 'a.test', await place.pebble.roots())).toMatch('DNS:a.test');
  });

  test('a reload that asks for another name meanwhile', async () => {
    const place = await newPlace();
    const running = await startProxy(configOf(place), patient);
    const other = configOf(place, { domains: ['c.test'] });
    expect(await running.proxy.reload(other)).toMatchObject({ ok: true });
    expect(await running.waitForLog('acme.obtained')).toMatchObject({ name: 'c.test' });
    expect(await servedTo(place.tlsPort, 'c.test', await place.pebble.roots())).toBe('DNS:c.test');
    expect(running.logsOf('acme.failed')).toEqual([]);
  });
});
