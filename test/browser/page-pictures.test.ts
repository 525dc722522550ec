// Takes the pictures of the page that the documents show, from a run of as many minutes as PAGE_PICTURES says:
// `npm run page:pictures`. Without it there is nothing to do here.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { daysFromNow, makeAuthority } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { startCli } from '../support/cli-process.ts';
import { AdminPage, type Look } from './admin-page.ts';
import { findChromium, LAUNCH_MS } from './chromium.ts';
import { echoing, joined } from './page-scene.ts';

const FOLDER = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const MINUTES = Number(process.env.PAGE_PICTURES ?? '0');
const TURN_MS = 200;
const OPEN_MOST = 260;

const executable = findChromium();

interface Gate {
  readonly port: number;
  /** Of its admin listener. */
  readonly url: string;
  /** The last session that a limit has ended. */
  ended(): string;
}

/** The command with a config as an operator would write it. */
async function startGate(): Promise<Gate> {
  const folder = mkdtempSync(path.join(tmpdir(), 'framegate-pictures-'));
  atTestEnd(() => rmSync(folder, { recursive: true }));
  const { cert, key } = await (await makeAuthority()).issue({ dns: ['chat.example.com'], notAfter: daysFromNow(61) });
  writeFileSync(path.join(folder, 'cert.pem'), cert);
  writeFileSync(path.join(folder, 'key.pem'), key, { mode: 0o600 });
  const [first, second, third] = [await echoing(), await echoing(), await echoing()];
  writeFileSync(path.join(folder, 'config.yaml'), configOf(first, second, third));
  const command = startCli(['run', '-c', 'config.yaml'], { cwd: folder, deadlineMs: 30_000 });
  const admin = await command.waitForLog('listening', ({ listener }) => listener === 'admin');
  const open = await command.waitForLog('listening', ({ listener }) => listener === 'public');
  const tooBig = (): string => {
    const ends = command.logs.filter(
      ({ reason, event }) => event === 'session.end' && reason === 'client_message_too_big',
    );
    return String(ends.at(-1)?.session);
  };
  return { port: Number(/\d+$/.exec(String(open.address))?.[0]), url: `http://${admin.address}/`, ended: tooBig };
}

const configOf = (first: string, second: string, third: string): string => `
listeners:
  - { name: public, address: "127.0.0.1:0" }
  - { name: secure, address: "127.0.0.1:0", tls: { certificates: [{ cert: cert.pem, key: key.pem }] } }
routes:
  - { name: chat, match: { path: /chat/* }, upstream: chat }
  - { name: live, match: { path: /live }, upstream: live, limits: { max_sessions: 500 } }
upstreams:
  chat:
    balance: least_sessions
    targets:
      - { name: chat-1, url: "${first}", max_sessions: 5000 }
      - { name: chat-2, url: "${second}", max_sessions: 5000 }
  live:
    targets: [{ name: live-1, url: "${third}" }, { name: live-2, url: "ws://127.0.0.1:1", backup: true }]
limits:
  max_sessions: 2000
  max_sessions_per_ip: off
  from_client: { max_message_size: 64KiB }
timeouts: { client_ping_interval: 5s }
record: { frames: 32 }
admin: { address: "127.0.0.1:0" }
`;

/** Clients that come, talk and go in different ways, until it is over. */
async function traffic(gate: Gate, sessions: WebSocket[], until: { readonly isOver: boolean }): Promise<void> {
  for (let turn = 0; !until.isOver; turn += 1) {
    const minute = (turn * TURN_MS) / 60_000;
    const wanted = Math.round(OPEN_MOST * (0.7 + 0.25 * Math.sin(minute * 1.3)));
    for (let i = 0; i < 3 && sessions.length < wanted; i += 1) sessions.push(await newcomer(gate, turn + i));
    for (let i = 0; i < 3 && sessions.length > wanted; i += 1) leave(sessions.splice(turn % sessions.length, 1), turn);
    const talk = 8 + 6 * Math.sin(minute * 2.1) + (turn % 97 === 0 ? 40 : 0);
    for (let i = 0; i < talk; i += 1)
      sessions[(turn * 7 + i * 13) % sessions.length]?.send('x'.repeat(40 + ((i * 97) % 900)));
    if (turn % 210 === 5) sessions.splice(3, 1)[0]?.send(Buffer.alloc(70_000));
    await new Promise((resolve) => setTimeout(resolve, TURN_MS));
  }
}

function newcomer(gate: Gate, turn: number): Promise<WebSocket> {
  return joined(gate, turn % 3 === 0 ? '/live' : `/chat/room-${turn % 40}`);
}

function leave([socket]: WebSocket[], turn: number): void {
  if (turn % 11 === 0) socket?.terminate();
  else socket?.close(turn % 5 === 0 ? 4001 : turn % 2 === 0 ? 1001 : 1000);
}

async function launch(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--force-color-profile=srgb'];
  const browser = await chromium.launch({ executablePath: executable ?? '', args, timeout: LAUNCH_MS });
  atTestEnd(() => browser.close());
  return browser;
}

test.skipIf(executable === null || MINUTES <= 0)(
  'pictures of the page',
  { timeout: MINUTES * 60_000 + 120_000 },
  async () => {
    const gate = await startGate();
    const sessions: WebSocket[] = [];
    const until = { isOver: false };
    const going = traffic(gate, sessions, until);
    await new Promise((resolve) => setTimeout(resolve, MINUTES * 60_000));
    mkdirSync(FOLDER, { recursive: true });
    const browser = await launch();
    const looks: readonly (readonly [string, Look])[] = [
      ['page-light', { width: 1280, height: 1330 }],
      ['page-dark', { width: 1280, height: 1330, scheme: 'dark' }],
      ['page-narrow', { width: 360, height: 1400 }],
    ];
    for (const [name, look] of looks) {
      const view = await (await AdminPage.open(browser, gate.url, look)).live();
      await view.shows('.figure:nth-child(1) .below', 'handshakes under way');
      await view.page.screenshot({ path: path.join(FOLDER, `${name}.png`) });
      expect(view.faults).toEqual([]);
    }
    const view = await (await AdminPage.open(browser, gate.url)).live();
    await view.page.locator('#lookup-id').fill(gate.ended());
    await view.button('Why?').click();
    await view.shows('#sheet-state', 'ended');
    await view.page.screenshot({ path: path.join(FOLDER, 'page-session.png') });
    until.isOver = true;
    await going;
  },
);
