// Where certificates are got from a real authority: pebble, a folder, and the ports that it comes to.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { ConfigInput } from '../../src/proxy.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { nowhere } from '../support/harness.ts';
import { freePort, type Pebble, startPebble } from '../support/pebble.ts';

type Acme = NonNullable<
  NonNullable<NonNullable<ConfigInput['listeners']>[number]['tls']>['certificates'][number]['acme']
>;

interface Place {
  readonly pebble: Pebble;
  readonly folder: string;
  readonly tlsPort: number;
  readonly httpPort: number;
}

export async function newPlace(options: Partial<Parameters<typeof startPebble>[0]> = {}): Promise<Place> {
  const folder = mkdtempSync(path.join(tmpdir(), 'acme-'));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  const tlsPort = await freePort();
  const httpPort = await freePort();
  const pebble = await startPebble({ tlsPort, httpPort, ...options });
  writeFileSync(path.join(folder, 'ca.pem'), pebble.ca);
  return { pebble, folder, tlsPort, httpPort };
}

export function configOf({ pebble, folder, tlsPort, httpPort }: Place, acme: Partial<Acme> = {}): ConfigInput {
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

/** The names of the certificate that is served for `servername`; `ca` has signed it. */
export async function servedTo(port: number, servername: string, ca: string): Promise<string> {
  const socket = connectTls({ host: '127.0.0.1', port, servername, ca, ALPNProtocols: ['http/1.1'] });
  atTestEnd(() => void socket.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  return socket.getPeerX509Certificate()?.subjectAltName ?? '';
}
