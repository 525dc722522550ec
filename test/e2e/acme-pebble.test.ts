// Certificates from a real authority: got at the start, served to clients, by either challenge.

import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { nowhere, type RunningProxy, startProxy } from '../support/harness.ts';
import { freePort, hasPebble, type Pebble, startPebble } from '../support/pebble.ts';

const TEST_MS = 60_000;

// Seen in the output of a run that passes, too.
if (!hasPebble)
  process.stderr.write('no pebble is installed: test/e2e/acme-pebble shows nothing of a real authority\n');

type Acme = NonNullable<
  NonNullable<NonNullable<ConfigInput['listeners']>[number]['tls']>['certificates'][number]['acme']
>;

interface Place {
  readonly pebble: Pebble;
  readonly folder: string;
  readonly tlsPort: number;
  readonly httpPort: number;
}

async function newPlace(options: Partial<Parameters<typeof startPebble>[0]> = {}): Promise<Place> {
  const folder = mkdtempSync(path.join(tmpdir(), 'acme-'));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  const tlsPort = await freePort();
  const httpPort = await freePort();
  const pebble = await startPebble({ tlsPort, httpPort, ...options });
  writeFileSync(path.join(folder, 'ca.pem'), pebble.ca);
  return { pebble, folder, tlsPort, httpPort };
}

function configOf({ pebble, folder, tlsPort, httpPort }: Place, acme: Partial<Acme> = {}): ConfigInput {
  const own: Acme = {
    domains: ['a.test', 'b.test'],
    email: 'ops@a.test',
    directory: pebble.directory,
    tls: { ca: path.join(folder, 'ca.pem') },
    dir: path.join(folder, 'state'),
    agree: true,
    ...acme,
  };
  return {
    listeners: [
      { name: 'secure', address: `127.0.0.1:${tlsPort}`, tls: { certificates: [{ acme: own }] } },
      { name: 'plain', address: `127.0.0.1:${httpPort}`, redirect_http: 'on', health_path: '/health' },
    ],
    routes: [nowhere],
  };
}

async function servedTo(port: number, servername: string, ca: string): Promise<string> {
  const socket = connectTls({ host: '127.0.0.1', port, servername, ca, ALPNProtocols: ['http/1.1'] });
  atTestEnd(() => void socket.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  return socket.getPeerX509Certificate()?.subjectAltName ?? '';
}

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
