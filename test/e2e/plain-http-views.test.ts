// What an operator sees of requests without upgrade: the log, the metrics, the views.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { anyPort, startProxy } from '../support/harness.ts';
import { askAdmin } from './operating.ts';

async function start() {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/page/bad' ? 500 : 200;
    response.end('page');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atTestEnd(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const http = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ws = { name: 'ws', match: { path: '/ws' }, upstream: 'builtin:echo' };
  const page = { name: 'page', match: { path: '/page/*' }, http };
  const config = {
    listeners: anyPort,
    routes: [ws, page],
    admin: { address: '127.0.0.1:0' },
    log: { level: 'debug' as const },
  };
  const running = await startProxy(config);
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${running.port}${path}`)).text();
  const counted = async () =>
    (await askAdmin(running, 'GET /metrics')).body
      .split('\n')
      .filter((line) => /^framegate_http_(requests|errors)/.test(line));
  return { ...running, config, ws, ask, counted };
}

test('each is a line and is counted by its route and class; a route without http has no series', async () => {
  const { ask, counted, waitForLog } = await start();
  for (const path of ['/page/a', '/page/b?token=x', '/page/bad', '/ws', '/none']) await ask(path);
  await waitForLog('http.request', ({ path }) => path === '/none');
  expect(await waitForLog('http.request', ({ path }) => path === '/page/bad')).toMatchObject({
    level: 'warn',
    status: 500,
  });
  expect(await waitForLog('http.request', ({ path }) => path === '/page/b')).toMatchObject({
    level: 'debug',
    status: 200,
    method: 'GET',
    route: 'page',
    bytes_out: 4,
  });
  expect(await waitForLog('http.request', ({ path }) => path === '/ws')).toMatchObject({
    level: 'debug',
    status: 426,
    error: 'upgrade_required',
    route: 'ws',
  });
  expect((await counted()).sort()).toEqual([
    'framegate_http_errors_total{route="-",error="no_route"} 1',
    'framegate_http_errors_total{route="-",error="upgrade_required"} 1',
    'framegate_http_requests_open 0',
    'framegate_http_requests_total{route="-",code_class="4xx"} 2',
    'framegate_http_requests_total{route="page",code_class="2xx"} 2',
    'framegate_http_requests_total{route="page",code_class="5xx"} 1',
  ]);
});

test('a view of the route says where they go and how many there were; a reload forgets what is gone', async () => {
  const running = await start();
  await running.ask('/page/a');
  await running.waitForLog('http.request');
  const { json } = await askAdmin(running, 'GET /api/v1/status');
  expect(json).toMatchObject({
    http_requests_open: 0,
    routes: [
      { name: 'ws', http: null, http_requests: 0 },
      { name: 'page', upstream: null, http: expect.stringContaining('127.0.0.1'), http_requests: 1 },
    ],
  });
  await running.proxy.reload({ ...running.config, routes: [running.ws] });
  expect((await running.counted()).filter((line) => line.includes('"page"'))).toEqual([]);
});

test('advice measures bodies and answers of the route, and counts what met a limit', async () => {
  const running = await start();
  const url = `http://127.0.0.1:${running.port}/page/a`;
  await running.proxy.reload({ ...running.config, limits: { max_body_size: '8B', requests_per_second_per_ip: 1000 } });
  for (const body of ['1234', '12345678', '123456789']) await (await fetch(url, { method: 'POST', body })).text();
  await running.waitForLog('http.request', ({ error }) => error === 'body_too_large');
  const { json } = await askAdmin(running, 'GET /api/v1/advice');
  expect(json).toMatchObject({
    caps: expect.arrayContaining([
      expect.objectContaining({ key: 'limits.requests_per_second_per_ip', value: 1000, peak: null, refused: 0 }),
    ]),
    routes: [
      { route: 'ws', http: null },
      {
        route: 'page',
        http: {
          requests: 3,
          body_size: { count: 2, max: 8 },
          response_ms: { count: 2 },
          limits: [
            { key: 'limits.max_body_size', value: 8, hits: 1, verdict: 'tight' },
            { key: 'timeouts.response', seen: 2, hits: 0 },
          ],
        },
      },
    ],
  });
});
