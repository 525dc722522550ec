// The admin listener under those who would like it to hurt: pages that measure, connections that say nothing, many who
// ask for the same at once, and who try names.

import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { startAdmin } from '../support/admin.ts';

const bearer = 'Authorization: Bearer secret';

describe('pages of other origins', () => {
  const views = ['/healthz', '/readyz', '/metrics', '/api/v1/status', '/application/websockets', '/nowhere'];

  test.each([
    ['Origin: https://evil.example'],
    ['Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: same-site'],
    ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document'],
    ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors', 'Sec-Fetch-Dest: image'],
  ])('X40: a GET with %s is 403, with a token or without', async (...headers) => {
    const admin = await startAdmin({ token: 'secret' });
    for (const target of views) {
      for (const method of ['GET', 'HEAD']) {
        for (const more of [[], [bearer]]) {
          const { status } = await admin.ask(`${method} ${target}`, ...headers, ...more);
          expect([method, target, status]).toEqual([method, target, 403]);
        }
      }
    }
    expect(admin.subject.calls).toEqual([]);
  });

  test('X40: a link to the page itself may be followed, and shown in no frame and fetched by no script', async () => {
    const admin = await startAdmin();
    const page = async (...fields: string[]) =>
      (await admin.ask('GET /', 'Sec-Fetch-Site: cross-site', ...fields)).status;
    expect(await page('Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document')).not.toBe(403);
    expect(await page('Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: iframe')).toBe(403);
    expect(await page('Sec-Fetch-Mode: cors', 'Sec-Fetch-Dest: empty')).toBe(403);
    expect(await page()).toBe(403);
  });
});

describe('connections that say nothing', () => {
  test('X41: with 200 of them, and more all the time, every probe gets its answer', async () => {
    const admin = await startAdmin();
    const open = () => admin.open().resume();
    const silent = Array.from({ length: 200 }, open);
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    for (let round = 0; round < 30; round += 1) {
      expect((await admin.ask('GET /readyz')).status).toBe(200);
      const more = Array.from({ length: 10 }, open);
      await Promise.all(more.map((socket) => once(socket, 'connect')));
    }
    expect(await admin.connectionCount()).toBeLessThanOrEqual(72);
  });
});

describe('many who ask for the same', () => {
  test('X42: of 60 at once all but the first share one answer', async () => {
    const admin = await startAdmin();
    const line = 'GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n';
    const answers = await admin.raw(`${`${line}\r\n`.repeat(59)}${line}Connection: close\r\n\r\n`);
    expect(answers.match(/HTTP\/1\.1 200/g)?.length).toBe(60);
    expect(admin.subject.calls.length).toBeLessThanOrEqual(3);
  });
});

describe('who tries names', () => {
  test('X43: without the token a route that exists is told from none by nothing', async () => {
    const admin = await startAdmin({ token: 'secret' });
    const ask = async (route: string, ...headers: string[]) => {
      const { status, body, headers: fields } = await admin.ask(`GET /readyz?route=${route}`, ...headers);
      return [status, body, fields.get('content-length')];
    };
    for (const state of ['ready', 'no_target', 'draining'] as const) {
      admin.subject.state = state;
      expect(await ask('chat')).toEqual(await ask('none'));
      expect((await ask('chat'))[0]).toBe(401);
    }
    expect((await admin.ask('GET /readyz')).status).toBe(503);
    admin.subject.state = 'ready';
    expect((await ask('chat', bearer))[0]).toBe(200);
    expect((await ask('none', bearer))[0]).toBe(404);
  });
});
