// The admin listener of a whole proxy, asked by whoever should not: pages of other sites, clients of the data
// listeners, peers that would like to be a label, clients that hammer it or take nothing.

import * as net from 'node:net';
import { describe, expect, test } from 'vitest';
import { createProxy } from '../../src/proxy.ts';
import { askAdminAt, until } from '../e2e/operating.ts';
import { readAll } from '../support/admin.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { anyPort, nowhere, startProxy } from '../support/harness.ts';
import { parseMetrics } from '../support/metrics-text.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { text, upgradeRequest } from '../support/wire.ts';
import { requestOf } from './harness.ts';
import { closeCleanly, openSession } from './pair.ts';

const admin = { address: '127.0.0.1:0' };

async function startWithAdmin(config: Parameters<typeof startProxy>[0]) {
  const running = await startProxy(config);
  const address = running.proxy.adminAddress();
  return { running, adminPort: typeof address === 'string' ? 0 : address.port };
}

describe('who may ask', () => {
  const paths = ['/metrics', '/healthz', '/readyz', '/api/v1/status', '/api/v1/config', '/application/websockets'];

  test('L3: a foreign Host is 421, whatever else is right; an address, localhost and listed names pass', async () => {
    const { adminPort } = await startWithAdmin({ routes: [nowhere], admin: { ...admin, hosts: ['ops.example'] } });
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'evil.example:80', '']) {
      const { status, body } = await askAdminAt(adminPort, 'GET /api/v1/status', `Host: ${host}`);
      expect([host, status, JSON.parse(body).error]).toEqual([host, 421, 'foreign_host']);
    }
    for (const host of ['127.0.0.1', '[::1]:9464', 'LOCALHOST', 'ops.example', 'ops.example.:9464']) {
      expect((await askAdminAt(adminPort, 'GET /api/v1/status', `Host: ${host}`)).status).toBe(200);
    }
  });

  test('L3: a POST of a page is 403 before all else, and changes nothing', async () => {
    const backend = await RawBackend.listen();
    const { running, adminPort } = await startWithAdmin({ routes: [{ name: 'test', upstream: backend.url }], admin });
    const session = await openSession(running, backend);
    const changes = [
      '/api/v1/drain',
      '/api/v1/reload',
      '/api/v1/sessions/close?route=test',
      '/api/v1/routes/test/drain',
    ];
    const pages = [
      'Origin: https://evil.example',
      'Origin: null',
      'Origin: http://localhost:1',
      'Sec-Fetch-Site: cross-site',
    ];
    for (const line of [...changes, '/none'].map((one) => `POST ${one}`)) {
      for (const field of [...pages, 'Sec-Fetch-Site: same-site']) {
        const { status, body } = await askAdminAt(adminPort, line, field);
        expect([line, field, status, JSON.parse(body).error]).toEqual([line, field, 403, 'cross_site']);
      }
    }
    for (const change of changes.map((one) => one.split('?')[0])) {
      expect([404, 405]).toContain((await askAdminAt(adminPort, `GET ${change}`)).status);
    }
    session.client.send(text('still here', { mask: true }));
    expect((await session.server.nextFrame()).payload.toString()).toBe('still here');
    expect(running.logsOf('admin.action')).toEqual([]);
    expect((await askAdminAt(adminPort, 'GET /readyz')).status).toBe(200);
    await closeCleanly(session);
  });

  test('L3: its paths are not on a data listener, with an upgrade or without', async () => {
    const { running } = await startWithAdmin({
      routes: [{ name: 'app', match: { path: '/app' }, upstream: 'builtin:echo' }],
      admin,
    });
    for (const where of paths) {
      for (const [omit, refusal] of [
        [[], '404'],
        [['upgrade', 'connection'], '426'],
      ] as const) {
        const client = await RawClient.connect(running.port);
        client.send(requestOf({ line: `GET ${where} HTTP/1.1`, omit }));
        expect([where, String((await client.readResponse()).status)]).toEqual([where, refusal]);
        client.destroy();
      }
    }
  });

  test('L3: a route that leads to it gets no further than its refusal of an upgrade', async () => {
    const first = await startWithAdmin({ routes: [nowhere], admin });
    const target = `ws://127.0.0.1:${first.adminPort}`;
    const { running } = await startWithAdmin({ routes: [{ name: 'test', upstream: target }], admin });
    for (const where of paths) {
      const client = await RawClient.connect(running.port);
      client.send(upgradeRequest({ path: where, headers: { Host: 'evil.example' } }));
      const { status, body } = await client.readResponse();
      expect([where, status >= 400, body.toString()]).toEqual([where, true, expect.not.stringContaining('framegate_')]);
      client.destroy();
    }
  });

  test.each(['0.0.0.0:0', '[::]:0', '192.0.2.1:0', ':0'])('L3: without a token it does not open on %s', (address) => {
    expect(() => createProxy({ listeners: anyPort, routes: [nowhere], admin: { address } })).toThrow(/needs a token/);
    expect(() => createProxy({ listeners: anyPort, routes: [nowhere], admin: { address, token: 'x' } })).not.toThrow();
  });
});

describe('what is shown', () => {
  const markup = `<script>alert("1")</script>'\\`;

  test('L4: markup in names stays text: JSON and escaped labels, under types that no browser sniffs', async () => {
    const backend = await RawBackend.listen();
    const { running, adminPort } = await startWithAdmin({
      routes: [{ name: markup, upstream: 'pool' }],
      upstreams: { pool: { targets: [{ name: markup, url: backend.url }] } },
      admin,
    });
    const session = await openSession(running, backend, {
      request: { 'User-Agent': markup, Origin: `https://${markup}` },
    });
    const views = ['status', 'config', 'upstreams', 'advice', 'sessions'].map((name) => `/api/v1/${name}`);
    for (const where of [
      ...views,
      '/metrics',
      '/application/websockets',
      `/${encodeURIComponent(markup)}`,
      '/healthz',
    ]) {
      const { headers, body } = await askAdminAt(adminPort, `GET ${where}`);
      expect([where, headers.get('content-type')]).toEqual([
        where,
        expect.stringMatching(/^(application\/json|application\/yaml|text\/plain)(;.*)?$/),
      ]);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      if (headers.get('content-type') === 'application/json') expect(() => JSON.parse(body)).not.toThrow();
    }
    const families = parseMetrics((await askAdminAt(adminPort, 'GET /metrics')).body);
    expect(families.get('framegate_sessions_open')?.samples).toMatchObject([
      { labels: new Map([['route', markup]]), value: 1 },
    ]);
    await closeCleanly(session);
  });

  test('L4: nothing that a peer sends becomes a label', async () => {
    const backend = await RawBackend.listen();
    const { running, adminPort } = await startWithAdmin({ routes: [{ name: 'test', upstream: backend.url }], admin });
    const fields = ['User-Agent', 'Origin', 'X-Request-ID', 'X-Forwarded-For', 'Sec-WebSocket-Protocol', 'Cookie'];
    const headers = Object.fromEntries(fields.map((name) => [name, 'peerword']));
    await closeCleanly(await openSession(running, backend, { path: '/peerword?peerword', request: headers }));
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    for (let i = 0; i < 20; i += 1) {
      const client = await RawClient.connect(running.port);
      const fields = [...lines, `Host: peerword${i}`, `Sec-WebSocket-Version: peerword${i}`];
      client.send(requestOf({ line: 'GET /peerword HTTP/1.1', omit: ['host', 'sec-websocket-version'], fields }));
      await client.readResponse();
      client.destroy();
    }
    const { body } = await askAdminAt(adminPort, 'GET /metrics');
    expect(body).toContain('framegate_handshakes_total{route="-",result="version"} 20\n');
    expect(body).not.toContain('peerword');
  });
});

describe('who asks too much', () => {
  test('E33: a thousand requests, and clients that take nothing: 429, and sessions notice nothing', async () => {
    const backend = await RawBackend.listen();
    const { running, adminPort } = await startWithAdmin({ routes: [{ name: 'test', upstream: backend.url }], admin });
    const session = await openSession(running, backend);
    const slow = Array.from({ length: 30 }, () => {
      const socket = net.connect(adminPort, '127.0.0.1');
      socket.on('error', () => {});
      socket.pause();
      socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(3));
      atTestEnd(() => {
        socket.destroy();
      });
      return socket;
    });
    let hammering = true;
    let echoes = 0;
    const relay = async () => {
      while (hammering || echoes < 100) {
        session.client.send(text('x', { mask: true }));
        await session.server.nextFrame();
        echoes += 1;
      }
    };
    const request = 'GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n';
    const hammer = async () => {
      const socket = net.connect(adminPort, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`${`${request}\r\n`.repeat(249)}${request}Connection: close\r\n\r\n`);
      return [...(await readAll(socket)).matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((match) => match[1]);
    };
    const hammers = Promise.all([hammer(), hammer(), hammer(), hammer()]).finally(() => {
      hammering = false;
    });
    const [statuses] = await Promise.all([hammers, relay()]);
    expect(new Set(statuses.flat())).toEqual(new Set(['200', '429']));
    for (const socket of slow) socket.destroy();
    await until('it answers again', async () => (await askAdminAt(adminPort, 'GET /api/v1/status')).status === 200);
    await closeCleanly(session);
    expect(await running.waitForLog('session.end')).toMatchObject({ reason: 'client_close', clean: true });
  });
});
