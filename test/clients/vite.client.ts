// A dev server of Vite and its hot reload through one route: the page, its modules, and the WebSocket that tells of
// changes. By hand, and in a browser where one is installed.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { createServer } from 'vite';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { findChromium, LAUNCH_MS, launchChromium } from '../browser/chromium.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { Gate } from './gate.ts';
import { Inbox } from './inbox.ts';

const executable = findChromium();
if (executable === null)
  process.stderr.write('no Chromium is installed: nothing is shown of a page of Vite in a real browser\n');

const PAGE = `<!doctype html><title>Page</title><p id="out"></p><script type="module" src="/main.js"></script>`;

const MAIN = `
import { word } from './word.js';
const show = (text) => { document.getElementById('out').textContent = text; };
globalThis.loads = (globalThis.loads ?? 0) + 1;
show(word);
import.meta.hot.accept('./word.js', (changed) => show(changed.word));
`;

async function start() {
  const root = mkdtempSync(path.join(tmpdir(), 'framegate-vite-'));
  atTestEnd(() => rmSync(root, { recursive: true, force: true }));
  const say = (word: string) => writeFileSync(path.join(root, 'word.js'), `export const word = '${word}';\n`);
  writeFileSync(path.join(root, 'index.html'), PAGE);
  writeFileSync(path.join(root, 'main.js'), MAIN);
  say('before');
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'silent',
    cacheDir: path.join(root, '.vite'),
    server: { host: '127.0.0.1', port: 0 },
  });
  atTestEnd(() => server.close());
  await server.listen();
  const address = server.httpServer?.address();
  if (typeof address !== 'object' || address === null) throw new Error('Vite does not listen');
  return { gate: await Gate.door([address.port]), say };
}

async function get(gate: Gate, target: string): Promise<string> {
  const answer = await fetch(gate.url(target, 'http'));
  expect([target, answer.status]).toEqual([target, 200]);
  return answer.text();
}

interface Told {
  readonly type: string;
  readonly updates?: readonly { readonly path: string; readonly acceptedPath: string; readonly timestamp: number }[];
}

describe('Vite', () => {
  test('page, modules and the WebSocket of its hot reload; what is changed is told and fetched anew', async () => {
    const { gate, say } = await start();
    expect(await get(gate, '/')).toContain('/@vite/client');
    const [, token = ''] = /wsToken = "([^"]+)"/.exec(await get(gate, '/@vite/client')) ?? [];
    expect(await get(gate, '/main.js')).toContain('import.meta.hot');
    expect(await get(gate, '/word.js')).toContain("'before'");
    const socket = new WebSocket(gate.url(`/?token=${token}`), 'vite-hmr');
    atTestEnd(() => socket.terminate());
    const told = new Inbox<Told>();
    socket.on('message', (data) => told.put(JSON.parse(String(data))));
    expect(await told.next()).toEqual({ type: 'connected' });
    say('after');
    const { updates = [] } = await told.until(({ type }) => type === 'update');
    expect(updates).toMatchObject([{ path: '/main.js', acceptedPath: '/word.js' }]);
    expect(await get(gate, `/word.js?t=${updates[0]?.timestamp}`)).toContain("'after'");
    expect(socket.protocol).toBe('vite-hmr');
    socket.close();
    expect(await gate.sessionEnd()).toMatchObject({ by: 'client', reason: 'client_close', clean: true });
  });

  test.skipIf(executable === null)(
    'in a browser a change shows without a load of the page',
    { timeout: LAUNCH_MS },
    async () => {
      const { gate, say } = await start();
      const browser = await launchChromium(executable ?? '', []);
      atTestEnd(() => browser.close());
      const page = await browser.newPage();
      await page.goto(gate.url('/', 'http'));
      await page.waitForFunction("document.getElementById('out').textContent === 'before'");
      await gate.waitForLog('session.open');
      say('after');
      await page.waitForFunction("document.getElementById('out').textContent === 'after'");
      expect(await page.evaluate('globalThis.loads')).toBe(1);
      // As after a deployment: the page waits for the server, and is loaded again when it is there.
      await page.evaluate('globalThis.isFirst = true');
      await gate.restart();
      await page.waitForFunction('globalThis.isFirst === undefined');
      await page.waitForFunction("document.getElementById('out').textContent === 'after'");
      await page.close();
    },
  );
});
