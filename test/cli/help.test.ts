import { expect, test } from 'vitest';
import { tryHint } from '../../src/cli/help.ts';
import type { Config, Endpoint } from '../../src/config/types.ts';

const echo: Endpoint = { kind: 'echo' };
const elsewhere: Endpoint = { kind: 'unix', path: '/run/b.sock', base: '' };

interface RouteSample {
  path: string;
  endpoint?: Endpoint;
  hosts?: string[];
  listeners?: string[];
}

/** As much of a config as a hint looks at. */
function sample(...routes: RouteSample[]): Pick<Config, 'listeners' | 'upstreams'> & { routes: { path: string }[] } {
  const upstreams: Record<string, unknown> = {};
  const list = routes.map(({ path, endpoint = echo, hosts = [], listeners = [] }, index) => {
    upstreams[`u${index}`] = { targets: [{ endpoint }] };
    return { path, match: { hosts, path, listeners }, upstream: `u${index}` };
  });
  return JSON.parse(JSON.stringify({ listeners: [{ name: 'main' }], routes: list, upstreams }));
}

function urlOf(config: ReturnType<typeof sample>, host = '127.0.0.1', port = 8080): string | null {
  const hint = tryHint(config as unknown as Config, { host, port });
  return hint === null ? null : (/new WebSocket\("([^"]*)"\)/.exec(hint)?.[1] ?? '');
}

test('the hint goes to a route that a client without a Host of its own can reach, an echo before others', () => {
  expect(urlOf(sample({ path: '/echo' }))).toBe('ws://127.0.0.1:8080/echo');
  expect(urlOf(sample({ path: '/a', endpoint: elsewhere }, { path: '/b' }))).toBe('ws://127.0.0.1:8080/b');
  expect(urlOf(sample({ path: '/a', endpoint: elsewhere }))).toBe('ws://127.0.0.1:8080/a');
  expect(urlOf(sample({ path: '/a', hosts: ['a.example'] }, { path: '/b' }))).toBe('ws://127.0.0.1:8080/b');
  expect(urlOf(sample({ path: '/a', listeners: ['other'] }, { path: '/b', listeners: ['main'] }))).toMatch(/\/b$/);
  expect(urlOf(sample({ path: '/a', hosts: ['a.example'] }))).toBeNull();
  expect(urlOf(sample())).toBeNull();
});

test('the path is one that the pattern matches', () => {
  expect(urlOf(sample({ path: '/*' }))).toBe('ws://127.0.0.1:8080/');
  expect(urlOf(sample({ path: '/x/*' }))).toBe('ws://127.0.0.1:8080/x/');
  expect(urlOf(sample({ path: '/x/{room}/y' }))).toBe('ws://127.0.0.1:8080/x/x/y');
});

test('the address is one to dial: the unspecified ones are not', () => {
  expect(urlOf(sample({ path: '/a' }), '0.0.0.0', 1)).toBe('ws://127.0.0.1:1/a');
  expect(urlOf(sample({ path: '/a' }), '', 1)).toBe('ws://127.0.0.1:1/a');
  expect(urlOf(sample({ path: '/a' }), '::', 1)).toBe('ws://[::1]:1/a');
  expect(urlOf(sample({ path: '/a' }), 'fe80::1', 1)).toBe('ws://[fe80::1]:1/a');
  expect(tryHint(sample({ path: '/a' }) as unknown as Config, '/run/framegate.sock')).toBeNull();
});

test('nothing of a path reaches the shell', () => {
  for (const path of ["/it's", '/a"b', '/$(id)', '/a`b', '/a\\b', '/a b']) expect(urlOf(sample({ path }))).toBeNull();
});
