// A large config under traffic: the built command is asked to reload it, and to show it, while somebody counts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { askAdminAt } from '../e2e/operating.ts';
import { connectWs } from '../e2e/ws-pair.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { CliProcess } from '../support/cli-process.ts';

const ROUTES = 300;

function configText(idle: string, routes = ROUTES): string {
  const lines = ['listeners: [{ name: in, address: "127.0.0.1:0" }]', 'admin: { address: "127.0.0.1:0" }', 'routes:'];
  for (let at = 0; at < routes; at += 1) {
    lines.push(`  - { name: r${at}, match: { path: /r${at} }, upstream: u${at}, timeouts: { idle: ${idle} } }`);
  }
  lines.push('upstreams:');
  for (let at = 0; at < routes; at += 1) lines.push(`  u${at}: { targets: [{ url: "builtin:echo" }] }`);
  return `${lines.join('\n')}\n`;
}

function started(text: string): { running: CliProcess; file: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'framegate-large-'));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'config.yaml');
  writeFileSync(file, text);
  return { running: new CliProcess(['run', '-c', file], { deadlineMs: 60_000 }), file };
}

const portOf = async (running: CliProcess, listener: string) =>
  Number(String((await running.waitForLog('listening', (line) => line.listener === listener)).address).split(':')[1]);

test('X44: a reload of a large config leaves no message waiting for it, and shows in what it changes', async () => {
  const { running, file } = started(configText('1h'));
  const port = await portOf(running, 'in');
  const admin = await portOf(running, 'admin');
  const client = await connectWs(port, { path: '/r7' });
  writeFileSync(file, configText('2h'));
  let isOver = false;
  const reloaded = askAdminAt(admin, 'POST /api/v1/reload').finally(() => {
    isOver = true;
  });
  let echoes = 0;
  while (!isOver) {
    client.socket.send('x');
    await client.next();
    echoes += 1;
  }
  // In one turn of the event loop it would let one or two by.
  expect(echoes).toBeGreaterThan(20);
  const { status, json } = await reloaded;
  expect([status, (json as { changed: string[] }).changed.length]).toEqual([200, ROUTES]);
  const shown = await askAdminAt(admin, 'GET /api/v1/config');
  expect(shown.body.match(/idle: 2h/g)?.length).toBe(ROUTES);
  writeFileSync(file, `${configText('3h')}routes: twice\n`);
  expect((await askAdminAt(admin, 'POST /api/v1/reload')).status).toBe(422);
  client.socket.send('still here');
  expect(await client.next()).toMatchObject({ kind: 'text' });
}, 90_000);
