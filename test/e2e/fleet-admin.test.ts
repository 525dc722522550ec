// The admin listener of several processes: what it shows is what one process would show of the same traffic.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { SecondView } from '../../src/admin/page-types.ts';
import type { SessionView, StatusView } from '../../src/admin/subject.ts';
import type { Advice } from '../../src/observe/advice.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';
import { hs256, inSeconds, SECRET_TEXT, tokenOf } from '../support/tokens.ts';
import { eventsIn, watchPage } from '../support/viewer.ts';
import { type FakeFleet, startFleet } from './fleet-rig.ts';
import { askAdmin, until } from './operating.ts';
import { connectWs, type Inbox } from './ws-pair.ts';

const config: ConfigInput = {
  listeners: [{ name: 'test', address: '127.0.0.1:0' }],
  routes: [
    {
      name: 'chat',
      match: { path: '/chat' },
      upstream: 'app',
      limits: { max_sessions: 50, from_client: { max_message_size: '1KiB' } },
    },
    { name: 'news', match: { path: '/news' }, upstream: 'app' },
    { name: 'idle', match: { path: '/idle' }, upstream: 'app' },
  ],
  upstreams: { app: { targets: [{ name: 'one', url: 'builtin:echo' }] } },
  drain: { spread: '0s' },
  record: { frames: 4 },
  admin: { address: '127.0.0.1:0' },
};

/** It stands: what lasts lasts as long on one process as on several. */
const clock = { now: () => 5_000 };
const about = { version: '1.2.3', node: 'v20.0.0', pid: 7, config: 'x.yaml' };

/** The same steps, each on the proxy that `pick` gives for it. Resolves with who is still there. */
async function traffic(pick: (step: number) => RunningProxy): Promise<Inbox[]> {
  const open: Inbox[] = [];
  for (let step = 0; step < 8; step += 1) {
    const { port } = pick(step);
    const path = step % 3 === 0 ? '/news' : '/chat';
    const client = await connectWs(port, { path, perMessageDeflate: false });
    for (const size of [1, 50, 300, 100 + step]) {
      client.socket.send(size % 2 === 0 ? Buffer.alloc(size) : 'x'.repeat(size));
      await client.next();
    }
    if (step === 1 || step === 2) client.socket.send(Buffer.alloc(1025 + step));
    else if (step < 5) client.socket.close(step === 3 ? 4001 : 1000);
    else open.push(client);
    if (step < 5) await client.closed();
    await expect(connectWs(port, { path: '/none' })).rejects.toThrow('404');
    for (const line of [`GET /${step === 4 ? 'chat' : 'none'}`, `POST /page/${step}`]) {
      const plain = await RawClient.connect(port);
      const body = line.startsWith('POST') ? 'x'.repeat(step) : '';
      plain.send(`${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      await plain.closed;
    }
  }
  return open;
}

async function endsSeen(proxies: readonly RunningProxy[], count: number): Promise<void> {
  const seen = () => proxies.reduce((sum, { logsOf }) => sum + logsOf('session.end').length, 0);
  while (seen() < count) await new Promise((resolve) => setImmediate(resolve));
}

/** Samples by family and labels. The order of the lines of a family is that in which they were first counted. */
function samplesOf(text: string): string[] {
  const own = /^framegate_(config_last_reload_success_timestamp|workers|worker_|target_sessions\{)/;
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#') && !own.test(line))
    .sort();
}

/** Without what differs between any two proxies, and the workers. */
function plainStatus(json: unknown): object {
  const { config: _config, workers: _workers, listeners, refusals, ...rest } = json as StatusView;
  return { ...rest, refusals, connections: listeners.map(({ connections }) => connections) };
}

/** The most at a time is known where all are counted, which is nowhere here. */
function withoutPeaks(json: unknown): object {
  const { caps, ...rest } = json as Advice;
  return { ...rest, caps: caps.map((cap) => ({ ...cap, peak: null })) };
}

/** What is on a target now only the primary counts, which has none of the sessions here. */
function withoutHolds(body: string): string {
  return body.replace(/"(sessions|sessions_total|share)":[0-9.]+/g, '');
}

describe('the same traffic on one process and on two', () => {
  test('shows the same status, metrics, advice and counts', async () => {
    const server = createServer((request, response) => {
      response.statusCode = request.url === '/page/1' ? 500 : 200;
      response.end('page');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    atTestEnd(() => new Promise<void>((resolve) => server.close(() => resolve())));
    const http = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const whole = { ...config, routes: [...config.routes, { name: 'page', match: { path: '/page/*' }, http }] };
    const solo = await startProxy(whole, { clock, about });
    const several = await startFleet(whole, 2, { clock, about });
    const { primary, workers } = several;
    await traffic(() => solo);
    await traffic((step) => workers[step % 2]?.running ?? primary);
    await endsSeen([solo], 5);
    await endsSeen(
      workers.map(({ running }) => running),
      5,
    );
    for (const proxy of [solo, primary]) {
      await until('only those with a session are there', async () => {
        const { listeners } = (await askAdmin(proxy, 'GET /api/v1/status')).json as StatusView;
        return listeners[0]?.connections === 3;
      });
    }
    const both = async (path: string) => {
      const [one, two] = [await askAdmin(solo, `GET ${path}`), await askAdmin(primary, `GET ${path}`)];
      expect([one.status, two.status]).toEqual([200, 200]);
      return [one, two] as const;
    };
    const [one, two] = await both('/metrics');
    expect(samplesOf(two.body)).toEqual(samplesOf(one.body));
    expect(two.body).toContain('framegate_session_ends_total{route="chat",by="client",reason="client_message_too_big"');
    expect(two.body).toContain('\nframegate_http_requests_total{route="page",code_class="5xx"} 1\n');
    expect(two.body).toContain('\nframegate_workers 2\n');
    const status = await both('/api/v1/status');
    expect(plainStatus(status[1].json)).toEqual(plainStatus(status[0].json));
    expect(status[1].json).toMatchObject({
      workers: [
        { worker: 1, pid: 101, state: 'ready', sessions: 1, memory_bytes: 0 },
        { worker: 2, pid: 102, state: 'ready', sessions: 2, memory_bytes: 0 },
      ],
    });
    const advice = await both('/api/v1/advice');
    expect(withoutPeaks(advice[1].json)).toEqual(withoutPeaks(advice[0].json));
    const upstreams = await both('/api/v1/upstreams');
    expect(withoutHolds(upstreams[1].body)).toEqual(withoutHolds(upstreams[0].body));
  });
});

interface Page {
  readonly sessions: readonly SessionView[];
  readonly next: string | null;
  readonly more: number;
}

describe('sessions of all workers', () => {
  /** Began one after the other, a millisecond apart, on the workers that `places` says. */
  async function opened(several: FakeFleet, time: FakeClock, places: readonly number[]): Promise<Inbox[]> {
    const clients: Inbox[] = [];
    for (const at of places) {
      time.advance(1);
      const { port } = several.workers[at]?.running ?? several.primary;
      clients.push(await connectWs(port, { path: '/chat', perMessageDeflate: false }));
    }
    return clients;
  }

  async function pages(several: FakeFleet, query: string): Promise<Page[]> {
    const found: Page[] = [];
    for (let after = ''; ; ) {
      const answer = await askAdmin(several.primary, `GET /api/v1/sessions?${query}${after}`);
      expect(answer.status).toBe(200);
      const page = answer.json as Page;
      found.push(page);
      if (page.next === null) return found;
      after = `&after=${encodeURIComponent(page.next)}`;
    }
  }

  test('come in the order in which they began, page by page, each once', async () => {
    const time = new FakeClock();
    const several = await startFleet(config, 3, { clock: time });
    const places = [2, 0, 0, 1, 2, 1, 0];
    await opened(several, time, places);
    const ids = several.workers.map(({ composition }) =>
      [...composition.edge.sessions].map((one) => one.facts.session),
    );
    const wanted = places.map((at) => ids[at]?.shift());
    const found = await pages(several, 'limit=2');
    expect(found.flatMap(({ sessions }) => sessions.map(({ id }) => id))).toEqual(wanted);
    expect(found.map(({ sessions, more }) => [sessions.length, more])).toEqual([
      [2, 5],
      [2, 3],
      [2, 1],
      [1, 0],
    ]);
  });

  test('come by what is largest, and only those that are meant', async () => {
    const time = new FakeClock();
    const several = await startFleet(config, 2, { clock: time });
    const clients = await opened(several, time, [0, 1, 0, 1]);
    for (const [index, size] of [30, 900, 500, 30].entries()) {
      clients[index]?.socket.send(Buffer.alloc(size));
      await clients[index]?.next();
    }
    const found = await pages(several, 'sort=bytes&limit=1');
    // Alike ones: the one that is the older in its worker comes first.
    expect(found.map(({ sessions: [one] }) => one?.from_client.bytes)).toEqual([900, 500, 30, 30]);
    expect(new Set(found.map(({ sessions: [one] }) => one?.id)).size).toBe(4);
    const other = await askAdmin(several.primary, 'GET /api/v1/sessions?route=news');
    expect(other.json).toEqual({ sessions: [], next: null, more: 0 });
    const lists = (await askAdmin(several.primary, 'GET /application/websockets')).json as readonly unknown[];
    expect(lists).toHaveLength(4);
  });

  test('one is found by its id, and told why it ended, in whichever worker it is', async () => {
    const time = new FakeClock();
    const several = await startFleet(config, 2, { clock: time });
    const { primary } = several;
    const [first, second] = await opened(several, time, [0, 1]);
    const [page] = await pages(several, 'limit=10');
    const [one, two] = page?.sessions ?? [];
    const show = async (path: string) => await askAdmin(primary, `GET /api/v1/sessions/${path}`);
    expect((await show(`${two?.id}`)).json).toMatchObject({ id: two?.id, request_id: two?.request_id, record: [] });
    expect((await show('nobody')).status).toBe(404);
    expect((await show(`${one?.id}/why`)).json).toMatchObject({ session: one?.id, state: 'open' });
    expect((await show(`${two?.request_id}/why`)).json).toMatchObject({ session: two?.id, state: 'open' });
    const close = (id?: string) => askAdmin(primary, `POST /api/v1/sessions/${id}/close?code=4000`);
    expect((await close(two?.id)).json).toEqual({ closing: 1 });
    expect(await second?.closed()).toMatchObject({ code: 4000 });
    expect((await close(two?.id)).status).toBe(404);
    await endsSeen([several.workers[1]?.running ?? primary], 1);
    expect((await show(`${two?.id}/why`)).json).toMatchObject({ session: two?.id, state: 'ended', cause: 'admin' });
    const extend = await askAdmin(primary, `POST /api/v1/sessions/${one?.id}/extend?until=99999999999`);
    expect(extend.body).toContain('not_bound');
    first?.socket.close();
  });

  test('all that are meant are closed, and a route drains, in all of them', async () => {
    const time = new FakeClock();
    const several = await startFleet(config, 2, { clock: time });
    const { primary, workers } = several;
    const clients = await opened(several, time, [0, 1, 1]);
    expect((await askAdmin(primary, 'POST /api/v1/sessions/close?route=chat')).json).toEqual({ closing: 3 });
    await Promise.all(clients.map((client) => client.closed()));
    expect((await askAdmin(primary, 'POST /api/v1/routes/none/drain')).status).toBe(404);
    expect((await askAdmin(primary, 'POST /api/v1/routes/chat/drain')).status).toBe(200);
    for (const { running } of workers) await expect(connectWs(running.port, { path: '/chat' })).rejects.toThrow('503');
    const status = (await askAdmin(primary, 'GET /api/v1/status')).json as StatusView;
    expect(status.routes[0]).toMatchObject({ name: 'chat', state: 'draining', sessions_total: 3 });
    expect(status.refusals).toEqual({ draining: 2 });
    expect((await askAdmin(primary, 'POST /api/v1/routes/chat/undrain')).status).toBe(200);
    await opened(several, time, [0, 1]);
    expect((await askAdmin(primary, 'POST /api/v1/upstreams/app/targets/one/drain')).status).toBe(200);
    for (const { running } of workers) await expect(connectWs(running.port, { path: '/chat' })).rejects.toThrow('503');
  });
});

describe('credentials', () => {
  const jwt = { secret: SECRET_TEXT, algorithms: ['HS256' as const] };
  const guarded = oneRoute(
    'builtin:echo',
    { auth: ['users'] },
    { auth: { users: { jwt } }, drain: { spread: '0s' }, admin: { address: '127.0.0.1:0' } },
  );
  const exp = inSeconds(7200);
  const bearer = (jti: string) => {
    const token = tokenOf({
      header: { alg: 'HS256' },
      payload: { sub: 'u1', jti, exp },
      sign: (input) => hs256(input),
    });
    return { headers: { Authorization: `Bearer ${token}` } };
  };

  test('that are revoked end their sessions in each worker, and let nobody in while they would be good', async () => {
    const several = await startFleet(guarded, 2);
    const { primary, workers } = several;
    const clients = await Promise.all(workers.map(({ running }) => connectWs(running.port, bearer('a'))));
    const other = await connectWs(workers[1]?.running.port ?? 0, bearer('b'));
    const revoke = async (what: string) => (await askAdmin(primary, `POST /api/v1/revoke?auth=users&${what}`)).json;
    // What no session stands on may be good for who knows how long.
    const ofNobody = (await revoke('jti=c')) as { readonly ended: number; readonly until: string };
    expect(ofNobody.ended).toBe(0);
    expect(Date.parse(ofNobody.until) - Date.now()).toBeGreaterThan(86_000_000);
    const ofSome = (await revoke('jti=a')) as { readonly ended: number; readonly until: string };
    expect(ofSome.ended).toBe(2);
    // By the token, and the minute for which it is good after its end at most.
    expect(Math.abs(Date.parse(ofSome.until) - exp * 1000)).toBeLessThan(120_000);
    for (const client of clients) expect(await client.closed()).toMatchObject({ code: 3003 });
    for (const { running } of workers) await expect(connectWs(running.port, bearer('a'))).rejects.toThrow('401');
    for (const { composition } of [...workers, several]) {
      expect(composition.edge.snapshot.auth.revocations.size).toBe(2);
    }
    expect(other.all).toEqual([]);
    expect(await revoke('key=x')).toMatchObject({ error: 'not_of_method' });
  });
});

describe('the page', () => {
  test('is told of each second of all workers, and of each of them', async () => {
    const time = new FakeClock();
    const several = await startFleet(config, 2, { clock: time });
    const { primary, workers } = several;
    const address = primary.proxy.adminAddress();
    const viewer = watchPage(typeof address === 'string' ? 0 : address.port);
    const seconds = () => eventsIn(viewer.text(), 'second') as SecondView[];
    const pass = async (): Promise<SecondView> => {
      const before = seconds().length;
      time.advance(1000);
      await until('a second', () => seconds().length > before);
      const last = seconds().at(-1);
      if (last === undefined) throw new Error('no second');
      return last;
    };
    await viewer.until(/200 OK/);
    await pass();
    for (const { running } of workers) {
      const client = await connectWs(running.port, { path: '/chat' });
      client.socket.send('x');
      await client.next();
    }
    const second = await pass();
    expect(second.figures.sessions).toBe(2);
    expect(second.workers).toMatchObject([
      { worker: 1, pid: 101, state: 'ready', sessions: 1 },
      { worker: 2, pid: 102, state: 'ready', sessions: 1 },
    ]);
    if (workers[0] !== undefined) several.lose(workers[0]);
    const later = await pass();
    expect([later.figures.sessions, later.figures.opened_per_s, later.figures.ended_per_s]).toEqual([1, 0, 1]);
    expect(later.workers).toHaveLength(1);
  });
});
