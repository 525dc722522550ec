// Where a backend is may be a secret: the text of a file that only the proxy reads. Every place that shows names, and
// every place that shows what a config says, is looked at.

import { writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, type ConfigInput, createProxy } from '../../src/proxy.ts';
import { askAdminAt } from '../e2e/operating.ts';
import { anyPort, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { upgradeRequest } from '../support/wire.ts';
import { folder } from './command.ts';

const CANARY = 'canary-7f3a';

/** The type has no files in it, the form has. */
function configOf(targets: readonly unknown[], route: unknown = { name: 'app', upstream: 'u' }): ConfigInput {
  const admin = { address: '127.0.0.1:0' };
  const log = { level: 'trace', session_open: 'info' };
  return { listeners: anyPort, routes: [route], upstreams: { u: { targets } }, admin, log } as unknown as ConfigInput;
}

test('F40: a url from a file is dialed, and shown nowhere', async () => {
  const backend = await RawBackend.listen();
  const gone = await RawBackend.listen();
  const base = folder();
  writeFileSync(path.join(base, 'up'), `${backend.url}/${CANARY}\n`);
  writeFileSync(path.join(base, 'gone'), `${gone.url}/${CANARY}\n`);
  await gone.close();
  const secret = (file: string) => ({ file: path.join(base, file) });
  const config = configOf([
    { name: 'gone', url: secret('gone'), weight: 256 },
    { name: 'up', url: secret('up') },
  ]);
  const running = await startProxy(config);
  const client = await RawClient.connect(running.port);
  client.send(upgradeRequest());
  const server = await backend.nextConnection();
  expect(await server.head()).toContain(`/${CANARY}/`);
  await server.accept();
  await client.readHead();
  await running.waitForLog('session.open');

  const address = running.proxy.adminAddress();
  const port = typeof address === 'string' ? 0 : address.port;
  const views = ['status', 'upstreams', 'sessions', 'config', 'advice'].map((name) => `/api/v1/${name}`);
  let shown = '';
  for (const where of [...views, '/metrics', '/application/websockets']) {
    const { status, body } = await askAdminAt(port, `GET ${where}`);
    expect([where, status]).toEqual([where, 200]);
    shown += body;
  }
  const rejected = await running.proxy.reload(configOf([{ url: secret('up') }]));
  expect(rejected.ok).toBe(false);
  await running.proxy.reload(configOf([{ name: 'up', url: secret('gone') }]));
  client.destroy();
  server.destroy();
  await running.waitForLog('session.end');
  const log = JSON.stringify(running.logs);
  for (const event of ['target.dial_failed', 'config.rejected', 'config.loaded']) expect(log).toContain(event);
  for (const text of [shown, log, JSON.stringify(rejected)]) {
    expect(text).not.toContain(CANARY);
    for (const one of [backend, gone]) expect(text).not.toContain(`127.0.0.1:${one.port}`);
  }
});

test('F40: without a name, in a route, or with user information a url is refused in words that do not show it', () => {
  const file = path.join(folder(), 'url');
  writeFileSync(file, `ws://${CANARY}.example:1\n`);
  const wrong: readonly ConfigInput[] = [
    configOf([{ url: { file } }]),
    configOf([{ name: 'a', url: 'ws://a' }], { upstream: { file } }),
    configOf([{ name: 'a', url: `ws://user:${CANARY}@a` }]),
    configOf([{ name: 'a', url: 'ws://a' }], { upstream: `//user:${CANARY}@a` }),
  ];
  for (const config of wrong) {
    let error: unknown = null;
    try {
      createProxy(config);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ConfigError);
    expect(String(error)).not.toContain(CANARY);
  }
});
