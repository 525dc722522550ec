// Two processes of the built command with one file of ticket keys: a client of one is known to the other, unless that
// one asks for more.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Identity, makeAuthority } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { type CliProcess, startCli } from '../support/cli-process.ts';
import { comeBack, sessionOf } from '../support/tls-clients.ts';

let files: Readonly<Record<string, string>>;
let client: Identity;
beforeAll(async () => {
  const authority = await makeAuthority();
  const { cert, key } = await authority.issue({ dns: ['a.test'] });
  client = await authority.issue({ client: true });
  files = { 'c.pem': cert, 'k.pem': key, 'ca.pem': authority.ca, 'tickets.txt': `${'5e'.repeat(48)}\n` };
});

/** A listener for each name: `require`, `request`, or one that asks for no certificates. */
async function start(folder: string, ...names: string[]): Promise<number[]> {
  const listeners = names.map((name) => {
    const asks = ['require', 'request'].includes(name) ? `client_auth: ${name}, client_ca: ca.pem,` : '';
    const tls = `{ certificates: [{ cert: c.pem, key: k.pem }], ${asks} tickets: { file: tickets.txt } }`;
    return `{ name: ${name}, address: "127.0.0.1:0", tls: ${tls} }`;
  });
  const file = join(folder, `${names.join('-')}.yaml`);
  writeFileSync(file, `listeners: [${listeners.join(', ')}]\nroutes: [{ upstream: "builtin:echo" }]\n`);
  const cli = startCli(['run', '-c', file]);
  return Promise.all(names.map((name) => portOf(cli, name)));
}

async function portOf(cli: CliProcess, listener: string): Promise<number> {
  const { address } = await cli.waitForLog('listening', (line) => line.listener === listener);
  return Number(/:(\d+)$/.exec(String(address))?.[1]);
}

describe('tickets of one file', () => {
  test('are taken by the other process; not where a certificate is asked for, nor the other way round', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
    atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
    const [[here = 0], [there = 0, request = 0, require = 0]] = await Promise.all([
      start(folder, 'here'),
      start(folder, 'there', 'request', 'require'),
    ]);
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const session = await sessionOf(here, { maxVersion });
      const ways = [there, request, require].map((port) => comeBack(port, session, { maxVersion }));
      expect([maxVersion, ...(await Promise.all(ways))]).toEqual([maxVersion, 'resumed', 'full', 'out']);
      const known = await sessionOf(require, { maxVersion, ...client });
      expect(await comeBack(here, known, { maxVersion })).toBe('full');
    }
  });
});
