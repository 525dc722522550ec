import { beforeEach, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { anyPort, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { type Head, upgradeRequest } from '../support/wire.ts';

const COOKIE = /^fg-chat=[\w-]{16}\.[\w-]{22}$/;

interface Visit {
  /** The target that it came to. */
  readonly name: string | undefined;
  /** What the backend got. */
  readonly request: Head;
  /** What the client got. */
  readonly answer: Head;
  /** Our cookie as the client would send it back; '' when it got none. */
  readonly cookie: string;
}

type Pairs = readonly (readonly [string, string])[];

let backend: RawBackend;
/** Refuses every dial. */
let gone: RawBackend;

beforeEach(async () => {
  backend = await RawBackend.listen();
  gone = await RawBackend.listen();
  await gone.close();
});

/** One backend, which each target has a path of its own on; `c` is down. */
async function open(targets: readonly string[], sticky: Readonly<Record<string, string>> = {}) {
  const urls: Readonly<Record<string, string>> = { a: `${backend.url}/a`, b: `${backend.url}/b`, c: `${gone.url}/c` };
  const balance = { sticky: { secret: 'a-secret-that-only-framegates-know', ...sticky } };
  const chat = { targets: targets.map((name) => ({ name, url: urls[name] ?? '' })), balance, fallback: 'round_robin' };
  const config = {
    listeners: anyPort,
    trusted_proxies: ['127.0.0.1'],
    upstreams: { chat },
    routes: [{ name: 'chat', upstream: 'chat' }],
  };
  const { port } = await startProxy(config as ConfigInput);
  /** A session, which stays open. */
  return async (headers: Pairs = [], answer: Pairs = []): Promise<Visit> => {
    const client = await RawClient.connect(port);
    client.send(upgradeRequest({ headers }));
    const server = await backend.nextConnection();
    const request = await server.accept(answer);
    const head = await client.readHead();
    const ours = head.all('set-cookie').find((cookie) => cookie.startsWith('fg-chat='));
    return { name: /\/([a-c])\b/.exec(request.line)?.[1], request, answer: head, cookie: ours?.split(';')[0] ?? '' };
  };
}

test('a client is given a cookie on the 101, beside those of the backend, and comes back to its target', async () => {
  const visit = await open(['a', 'b']);
  const first = await visit([], [['Set-Cookie', 'theirs=1; Path=/x']]);
  expect(first.cookie).toMatch(COOKIE);
  expect(first.answer.all('set-cookie')).toEqual([
    'theirs=1; Path=/x',
    `${first.cookie}; Path=/; HttpOnly; SameSite=Lax`,
  ]);
  for (let i = 0; i < 3; i += 1) {
    const again = await visit([['Cookie', first.cookie]], [['Set-Cookie', 'theirs=2']]);
    expect(again.name).toBe(first.name);
    expect(again.answer.all('set-cookie')).toEqual(['theirs=2']);
  }
  const other = await visit();
  expect([other.name === first.name, other.cookie === first.cookie]).toEqual([false, false]);
});

test('the backend gets all cookies but ours, byte for byte', async () => {
  const visit = await open(['a', 'b']);
  const { cookie } = await visit();
  const { request } = await visit([
    ['Cookie', `one=1;  two="a b";${cookie}; fg-chat-too=\xe9; FG-CHAT=x; last`],
    ['X-Between', '1'],
    ['Cookie', cookie],
    ['Cookie', 'other=1'],
  ]);
  expect(request.all('cookie')).toEqual(['one=1;  two="a b"; fg-chat-too=\xe9; FG-CHAT=x; last', 'other=1']);
  expect((await visit([['Cookie', 'fg-chat=forged; fg-chat="x"']])).request.all('cookie')).toEqual([]);
});

test('a forged cookie counts as absent, and is replaced', async () => {
  const visit = await open(['a', 'b']);
  const { cookie, name } = await visit();
  const forged = cookie.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
  const names = new Set<string | undefined>();
  for (let i = 0; i < 2; i += 1) {
    const came = await visit([['Cookie', forged]]);
    names.add(came.name);
    expect(came.cookie).toMatch(COOKIE);
    expect(came.cookie === cookie).toBe(came.name === name);
  }
  // The policy of the fallback chose, each in turn.
  expect(names.size).toBe(2);
});

test('a cookie whose target is gone from the config, or cannot be dialed, is replaced', async () => {
  const [both, one] = [await open(['a', 'b']), await open(['a'])];
  const [first, second] = [await both(), await both()];
  const ofB = first.name === 'b' ? first : second;
  const moved = await one([['Cookie', ofB.cookie]]);
  expect(moved.name).toBe('a');
  expect(moved.cookie).toBe((first.name === 'a' ? first : second).cookie);

  const down = await open(['c', 'a']);
  const retried = await down();
  expect(retried.name).toBe('a');
  expect(retried.cookie).toBe(moved.cookie);
});

test('secure: auto goes by the X-Forwarded-Proto that the backend gets', async () => {
  const visit = await open(['a'], { cookie: 'x', max_age: '1h', path: '/chat', same_site: 'strict' });
  for (const [proto, isSecure] of [
    ['https', true],
    ['wss', true],
    ['http', false],
  ] as const) {
    const { request, answer } = await visit([['X-Forwarded-Proto', proto]]);
    expect(request.field('x-forwarded-proto')).toBe(proto);
    expect(answer.field('set-cookie')).toMatch(
      isSecure
        ? /^x=[\w.-]+; Path=\/chat; Max-Age=3600; HttpOnly; Secure; SameSite=Strict$/
        : /^x=[\w.-]+; Path=\/chat; Max-Age=3600; HttpOnly; SameSite=Strict$/,
    );
  }
});

test('any other policy leaves such a cookie to the backend', async () => {
  const { port } = await startProxy({
    listeners: anyPort,
    upstreams: { chat: { targets: [{ url: backend.url }] } },
    routes: [{ upstream: 'chat' }],
  });
  const client = await RawClient.connect(port);
  client.send(upgradeRequest({ headers: { Cookie: 'fg-chat=1; a=b' } }));
  const request = await (await backend.nextConnection()).accept();
  expect(request.field('cookie')).toBe('fg-chat=1; a=b');
  expect((await client.readHead()).all('set-cookie')).toEqual([]);
});
