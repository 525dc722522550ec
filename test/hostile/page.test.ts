// The page of the admin listener, its files and its stream, asked by whoever should not, with names that somebody else
// chose, and by clients that are slow, many or gone.

import { describe, expect, test } from 'vitest';
import type { PartsView } from '../../src/admin/page-types.ts';
import type { createProxy } from '../../src/proxy.ts';
import { askAdminAt, until } from '../e2e/operating.ts';
import { connectWs } from '../e2e/ws-pair.ts';
import { localSettings, startAdmin } from '../support/admin.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anyPort, nowhere, startProxy } from '../support/harness.ts';
import { eventsIn, watchPage } from '../support/viewer.ts';
import { hasWorkers } from '../support/worker-fleet.ts';

const admin = { address: '127.0.0.1:0' };
const POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const CROSS_NAVIGATION = ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document'];
const DATA = ['/api/v1/history', '/api/v1/events'];
const BARE = ['/', '/page/main.js'];

async function startWithAdmin(config: Partial<Parameters<typeof createProxy>[0]>) {
  const clock = new FakeClock();
  const running = await startProxy((base) => ({ ...base, routes: [nowhere], admin, ...config }), { clock });
  const address = running.proxy.adminAddress();
  return { running, clock, port: typeof address === 'string' ? 0 : address.port };
}

describe('what it shows', () => {
  test('G10: names that are markup are text in the page, with scripts and without', async () => {
    const name = '</noscript><script>alert(1)</script>';
    const { running, port } = await startWithAdmin({
      routes: [{ name, upstream: 'pool' }],
      upstreams: { pool: { targets: [{ name: '"><img/src=x/onerror=alert(1)>', url: 'builtin:echo' }] } },
    });
    await connectWs(running.port, { path: `/%3Cscript%3E&'x`, perMessageDeflate: false });
    const { body } = await askAdminAt(port, 'GET /');
    expect(body.match(/<script[^>]*>/g)?.every((tag) => tag.includes('src="page/'))).toBe(true);
    expect(body).not.toContain('<img');
    expect(body.match(/<\/noscript>/g)).toHaveLength(1);
    expect(body).toContain('&lt;/noscript&gt;&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(body).toContain('&quot;&gt;&lt;img/src=x/onerror=alert(1)&gt;');
    expect(body).toContain('%3Cscript%3E&amp;&#39;x');
  });

  test('G14: where data needs the token, the page holds none, and the token counts in its field alone', async () => {
    const token = 'correct-horse-battery';
    const { port } = await startWithAdmin({ routes: [{ ...nowhere, name: 'innermost' }], admin: { ...admin, token } });
    for (const path of BARE) {
      const { status, body } = await askAdminAt(port, `GET ${path}`);
      expect([path, status, body.includes('innermost'), body.includes(token)]).toEqual([path, 200, false, false]);
    }
    expect((await askAdminAt(port, 'GET /')).body).toContain('<noscript>\n<p>This page needs scripts');
    for (const path of DATA) {
      expect((await askAdminAt(port, `GET ${path}`)).status).toBe(401);
      expect((await askAdminAt(port, `GET ${path}`, `Cookie: token=${token}`)).status).toBe(401);
      expect((await askAdminAt(port, `GET ${path}?token=${token}`)).status).toBe(401);
      expect((await askAdminAt(port, `GET ${path}?token=${token}`, `Authorization: Bearer ${token}`)).status).toBe(400);
    }
    expect((await askAdminAt(port, 'GET /api/v1/history', `Authorization: Bearer ${token}`)).status).toBe(200);
  });

  // A second that is over before workers were asked for it is told with the next one.
  test.skipIf(hasWorkers)(
    'G21: of many routes and targets a page is told the first, and how many there are',
    async () => {
      const many = (count: number) => Array.from({ length: count }, (_, index) => index);
      const { port, clock } = await startWithAdmin({
        routes: many(101).map((index) => ({ name: `r${index}`, match: { path: `/r${index}` }, upstream: 'pool' })),
        upstreams: {
          pool: { targets: many(150).map((index) => ({ name: `t${index}`, url: `ws://127.0.0.1:${index + 1}` })) },
          rest: { targets: many(51).map((index) => ({ name: `u${index}`, url: `ws://127.0.0.1:${index + 1}` })) },
          none: { targets: [{ name: 'last', url: 'ws://127.0.0.1:1' }] },
        },
      });
      const viewer = watchPage(port);
      await viewer.until(/event-stream/);
      clock.advance(1000);
      const [parts] = eventsIn(await viewer.until(/event: parts\ndata: .*\n\n/), 'parts') as [PartsView];
      expect([parts.status.routes.length, parts.routes_total, parts.targets_total]).toEqual([100, 101, 202]);
      expect(parts.upstreams.map(({ name, targets }) => [name, targets.length])).toEqual([
        ['pool', 150],
        ['rest', 50],
      ]);
      expect((await askAdminAt(port, 'GET /')).body).toContain('<p>1 more</p>');
    },
  );
});

describe('who asks', () => {
  test.each([
    ['/page/../../package.json', 404],
    ['/page/..%2f..%2fpackage.json', 404],
    ['/page/..%2fcli.js', 404],
    ['/page/.%2fmain.js', 404],
    ['/page/%2fetc%2fpasswd', 404],
    ['/page/main.js%00.css', 404],
    ['/page//main.js', 404],
    ['/page/..%5cmain.js', 404],
    ['/page/__proto__', 404],
    ['/page/page.html', 404],
    ['/page/', 404],
    ['/page', 404],
    ['/page/%zz', 400],
    ['//', 404],
  ])('G11: %s is no file of the page: %d', async (path, expected) => {
    const { port } = await startAdmin();
    const { status, body } = await askAdminAt(port, `GET ${path}`);
    expect([status, JSON.parse(body).status]).toEqual([expected, expected]);
  });

  test('G12: under a foreign Host all of it is 421, and it is there for GET and HEAD alone', async () => {
    const { port } = await startWithAdmin({});
    for (const path of [...BARE, ...DATA]) {
      expect([path, (await askAdminAt(port, `GET ${path}`, 'Host: rebound.example')).status]).toEqual([path, 421]);
      const { status, headers } = await askAdminAt(port, `POST ${path}`);
      expect([path, status, headers.get('allow')]).toEqual([path, 405, 'GET, HEAD']);
    }
  });

  test('G13: nothing of it is framed, sniffed, kept, or runs what is not its own', async () => {
    const { port } = await startWithAdmin({});
    for (const path of BARE) {
      const { headers } = await askAdminAt(port, `GET ${path}`);
      expect([path, headers.get('content-security-policy')]).toEqual([path, POLICY]);
      expect([headers.get('referrer-policy'), headers.get('x-content-type-options')]).toEqual([
        'no-referrer',
        'nosniff',
      ]);
      expect(headers.get('cache-control')).toBe('no-store');
    }
    const bare = "default-src 'none'; frame-ancestors 'none'";
    for (const line of ['GET /page/none.js', 'GET /api/v1/history', 'HEAD /api/v1/events']) {
      const { headers } = await askAdminAt(port, line);
      expect([line, headers.get('content-security-policy'), headers.get('cache-control')]).toEqual([
        line,
        bare,
        'no-store',
      ]);
    }
    const { body } = await askAdminAt(port, 'GET /');
    expect(body).not.toMatch(/https?:|<style|style=|\son\w+=|<script(?![^>]*src="page\/)/);
  });

  test('G15: a page of another origin gets none of it, and may lead to the page alone', async () => {
    const { port } = await startWithAdmin({});
    for (const path of [...BARE, ...DATA]) {
      expect([path, (await askAdminAt(port, `GET ${path}`, 'Origin: https://evil.example')).status]).toEqual([
        path,
        403,
      ]);
      const { status } = await askAdminAt(port, `GET ${path}`, ...CROSS_NAVIGATION);
      expect([path, status]).toEqual([path, path === '/' ? 200 : 403]);
    }
  });
});

describe('who looks', () => {
  test('G16: the eleventh viewer is 503, with room for probes and for who comes when one has left', async () => {
    const { port, running } = await startWithAdmin({});
    const viewers = Array.from({ length: 10 }, () => watchPage(port));
    await Promise.all(viewers.map((viewer) => viewer.until(/event-stream/)));
    const eleventh = await askAdminAt(port, 'GET /api/v1/events');
    expect([eleventh.status, JSON.parse(eleventh.body).error]).toEqual([503, 'too_many_viewers']);
    expect(eleventh.headers.get('retry-after')).toBe('1');
    expect((await askAdminAt(port, 'GET /healthz')).status).toBe(200);
    viewers[0]?.socket.destroy();
    await until('there is room', async () => {
      const next = watchPage(port);
      return / 200 /.test(await next.until(/\r\n\r\n/));
    });
    expect(running.logsOf('admin.fault')).toEqual([]);
  });

  test('G17: a viewer that takes nothing misses seconds and is cut off; the others get theirs', async () => {
    const harness = await startAdmin();
    const { page, time, port } = harness;
    const reason = 'x'.repeat(1000);
    // More than kernels hold.
    page.counted = { ends: Array(16_000).fill({ by: 'proxy', reason, code: '1000', count: 1 }), limits: [] };
    const slow = watchPage(port);
    await slow.until(/event-stream/);
    slow.socket.pause();
    const pass = async () => {
      await until('somebody waits', () => page.isWatched);
      page.pass();
      page.counted = { ends: [], limits: [] };
      time.now += 1000;
      await until('it was told', () => page.isWatched);
    };
    await pass();
    const quick = watchPage(port);
    await quick.until(/event-stream/);
    for (let second = 2; second <= 18; second += 1) await pass();
    expect(eventsIn(await quick.until(/"at":18000/), 'second')).toHaveLength(17);
    slow.socket.resume();
    await slow.over;
    expect(eventsIn(slow.text(), 'second')).toEqual([]);
    expect(await harness.connectionCount()).toBe(1);
  });

  test('G18: when the token changes streams end and say so, and the old one is good for none', async () => {
    const bearer = (token: string) => `Authorization: Bearer ${token}`;
    const config = { listeners: anyPort, routes: [nowhere] };
    const { port, running } = await startWithAdmin({ admin: { ...admin, token: 'first' } });
    const viewer = watchPage(port, [bearer('first')]);
    await viewer.until(/event-stream/);
    const reload = (token: string) => running.proxy.reload({ ...config, admin: { ...admin, token } });
    expect(await reload('first')).toMatchObject({ ok: true });
    expect(await reload('second')).toMatchObject({ ok: true });
    const text = await viewer.until(/event: end\ndata: {"why":"token"}\n\n/);
    expect(text.match(/event: end/g)).toHaveLength(1);
    expect((await askAdminAt(port, 'GET /api/v1/events', bearer('first'))).status).toBe(401);
    await watchPage(port, [bearer('second')]).until(/ 200 [\s\S]*event-stream/);
  });

  test('G19: when the page is switched off streams end, and nothing of it is there', async () => {
    const { port, running } = await startWithAdmin({});
    const viewer = watchPage(port);
    await viewer.until(/event-stream/);
    const config = { listeners: anyPort, routes: [nowhere] };
    expect(await running.proxy.reload({ ...config, admin: { ...admin, page: 'off' } })).toMatchObject({ ok: true });
    await viewer.until(/event: end\ndata: {"why":"page"}\n\n/);
    for (const path of [...BARE, ...DATA]) expect((await askAdminAt(port, `GET ${path}`)).status).toBe(404);
    expect((await askAdminAt(port, 'GET /api/v1/status')).status).toBe(200);
    expect(await running.proxy.reload({ ...config, admin })).toMatchObject({ ok: true });
    await watchPage(port).until(/ 200 [\s\S]*event-stream/);
  });

  test('G20: who asks once there is a token shares no page that was begun before', async () => {
    const { page, server, port } = await startAdmin();
    let open = () => {};
    page.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const before = [askAdminAt(port, 'GET /')];
    await until('the first is made', () => page.partsMade === 1);
    // Two round trips: what was asked before them has been read.
    const isRead = async () => {
      for (const _ of [1, 2]) await askAdminAt(port, 'GET /healthz');
    };
    before.push(askAdminAt(port, 'GET /'));
    await isRead();
    server.reconfigure({ ...localSettings, token: 'new' });
    const after = askAdminAt(port, 'GET /');
    await isRead();
    open();
    expect((await after).body).not.toContain('<table');
    for (const { body } of await Promise.all(before)) expect(body).toContain('<table');
  });

  test('G22: HEAD of the stream takes no place, nor does one that is left before its head', async () => {
    const { port } = await startWithAdmin({});
    for (let asked = 0; asked < 11; asked += 1) {
      expect((await askAdminAt(port, 'HEAD /api/v1/events')).status).toBe(200);
      watchPage(port).socket.destroy();
    }
    await watchPage(port).until(/ 200 [\s\S]*event-stream/);
  });

  test('G23: a fault of our own in a stream ends it with a line, and nothing else', async () => {
    const { page, port, logs } = await startAdmin();
    page.fault = new Error('of our own');
    const viewer = watchPage(port);
    await until('somebody waits', () => page.isWatched);
    page.pass();
    await viewer.over;
    expect(logs.map(({ event }) => event)).toEqual(['admin.fault']);
    page.fault = null;
    const next = watchPage(port);
    await until('somebody waits', () => page.isWatched);
    page.pass();
    await next.until(/event: parts/);
  });
});
