// Certificates from a real authority: got at the start, served to clients, by either challenge.

import { readdirSync, statSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type RunningProxy, startProxy } from '../support/harness.ts';
import { hasPebble } from '../support/pebble.ts';
import { configOf, newPlace, servedTo } from './acme-place.ts';

const TEST_MS = 60_000;

// Seen in the output of a run that passes, too.
if (!hasPebble)
  process.stderr.write('no pebble is installed: test/e2e/acme-pebble shows nothing of a real authority\n');

const obtained = (running: RunningProxy) => running.waitForLog('acme.obtained');

describe.runIf(hasPebble)('from pebble', { timeout: TEST_MS }, () => {
  test.each(['tls-alpn-01', 'http-01'] as const)('a certificate is got by %s and served', async (challenge) => {
    const place = await newPlace();
    const running = await startProxy(configOf(place, { challenge }), { deadlineMs: TEST_MS });
    expect(running.logsOf('acme.waiting')).toMatchObject([{ listener: 'secure', domains: ['a.test', 'b.test'] }]);
    expect(await obtained(running)).toMatchObject({ name: 'a.test', by: 'this process' });
    expect(await servedTo(place.tlsPort, 'b.test', await place.pebble.roots())).toBe('DNS:a.test, DNS:b.test');
    const state = path.join(place.folder, 'state');
    for (const name of readdirSync(state)) {
      if (name !== 'challenges') expect(statSync(path.join(state, name)).mode & 0o777).toBe(0o600);
    }
    expect(readdirSync(path.join(state, 'challenges'))).toEqual([]);
    expect(running.logsOf('acme.failed')).toEqual([]);
  });
});
