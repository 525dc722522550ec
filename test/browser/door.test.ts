// A page of a real browser that has everything from one port: itself, its API by fetch, its events and its WebSocket,
// with connections that are kept.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { askAdmin } from '../e2e/operating.ts';
import { makeAuthority } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { startProxy } from '../support/harness.ts';
import { findChromium, LAUNCH_MS, launchChromium } from './chromium.ts';

const executable = findChromium();
// Seen in the output of a run that passes, too.
if (executable === null)
  process.stderr.write('no Chromium is installed: test/browser shows nothing of a page behind\n');

/** Leaves what each step came to in `result`. */
const PAGE = `<!doctype html><title>One port</title><script type="module">
const steps = [];
for (let i = 0; i < 5; i += 1) {
  const body = JSON.stringify({ i });
  const answer = await fetch('/api/echo?i=' + i, { method: 'POST', body });
  steps.push(answer.status + ' ' + (await answer.text()));
}
const large = 'x'.repeat(1_000_000);
steps.push((await (await fetch('/api/echo', { method: 'PUT', body: large })).text()) === large);
const events = new EventSource('/events');
steps.push(await new Promise((resolve) => { events.onmessage = ({ data }) => resolve(data); }));
events.close();
const socket = new WebSocket(location.origin.replace('http', 'ws') + '/live');
socket.onopen = () => socket.send('hello');
steps.push(await new Promise((resolve) => { socket.onmessage = ({ data }) => resolve(data); }));
steps.push((await fetch('/api/missing')).status);
globalThis.result = steps;
</script>`;

async function startApp(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((request, response) => void serve(request, response));
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, { headers }) => {
    socket.on('message', (data) => socket.send(`${data}, ${headers.cookie}`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atTestEnd(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '', 'http://app');
  if (pathname === '/')
    response.writeHead(200, { 'Content-Type': 'text/html', 'Set-Cookie': 'page=1; HttpOnly' }).end(PAGE);
  else if (pathname === '/events')
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: one\n\n'); // and no end
  else if (pathname === '/api/echo') request.pipe(response);
  else response.writeHead(404).end();
}

const title = 'a page, its API, its events and its WebSocket come through one port, on few connections';

test.skipIf(executable === null)(title, { timeout: LAUNCH_MS }, async () => {
  const authority = await makeAuthority();
  const identity = await authority.issue({ dns: ['one.test'] });
  const { port } = await startApp();
  const running = await startProxy({
    listeners: [{ name: 'test', address: '127.0.0.1:0', tls: { certificates: [identity] } }],
    routes: [{ name: 'app', upstream: `ws://127.0.0.1:${port}`, http: `http://127.0.0.1:${port}`, origins: ['same'] }],
    admin: { address: '127.0.0.1:0' },
    log: { level: 'debug' },
  });
  const browser = await launchChromium(executable ?? '', [identity]);
  atTestEnd(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`https://one.test:${running.port}/`);
  await page.waitForFunction('globalThis.result !== undefined');
  expect(await page.evaluate('globalThis.result')).toEqual([
    ...[0, 1, 2, 3, 4].map((i) => `200 {"i":${i}}`),
    true,
    'one',
    'hello, page=1',
    404,
  ]);
  const requests = running.logsOf('http.request').length;
  const { body } = await askAdmin(running, 'GET /metrics');
  const accepted = Number(/^framegate_connections_accepted_total\S* (\d+)$/m.exec(body)?.[1]);
  // Ten of the page's own, one after the other; its WebSocket and its event stream have one for themselves.
  expect(requests).toBeGreaterThanOrEqual(9);
  expect(accepted).toBeGreaterThanOrEqual(2);
  expect(accepted).toBeLessThan(requests);
  await page.close();
  expect(await running.waitForLog('session.end')).toMatchObject({ by: 'client', reason: 'client_close' });
});
