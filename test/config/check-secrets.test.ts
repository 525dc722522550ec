import { describe, expect, test } from 'vitest';
import { renderConfig } from '../../src/config/render.ts';
import { errorsOf, loaded, objectErrors, problemsOf } from './loading.ts';

const URL_TEXT = 'ws://canary.example:9001/canary';
const files = { url: `${URL_TEXT}\n`, text: 'canary', path: '/canary', port: '127.0.0.1:1' };
const SHOWN = 'is shown in logs and metrics: write it here, not in a file';
const NEEDS_NAME = 'is required: the url comes from a file, and no name is made of what a file holds';

const target = (text: string): string => `routes: [{ upstream: u }]\nupstreams: { u: { targets: [${text}] } }\n`;
const route = (text: string): string => `routes:\n  - { upstream: "builtin:echo", ${text} }\n`;

describe('a url from a file', () => {
  test('needs a name beside it', () => {
    expect(errorsOf(target('{ url: { file: url } }'), { files })).toEqual([
      `2:29 upstreams.u.targets[0].name: ${NEEDS_NAME}`,
    ]);
    expect(errorsOf(target(`{ url: { file: "\${F}" } }`), { files, env: { F: 'url' } })).toEqual([
      `2:29 upstreams.u.targets[0].name: ${NEEDS_NAME}`,
    ]);
    const input = { routes: [{ upstream: 'u' }], upstreams: { u: { targets: [{ url: { file: 'url' } }] } } };
    expect(objectErrors(input, { '/etc/framegate/url': URL_TEXT })).toEqual([
      `upstreams.u.targets[0].name: ${NEEDS_NAME}`,
    ]);
  });

  test('needs one wherever an alias brings it', () => {
    const text = target('{ name: a, url: &secret { file: url } }, { url: *secret }');
    expect(errorsOf(text, { files })).toEqual([expect.stringContaining(`upstreams.u.targets[1].name: ${NEEDS_NAME}`)]);
  });

  test('is dialed under its name, and shown as ***', () => {
    const config = loaded(target('{ name: a, url: { file: url } }'), { files });
    const [one] = config.upstreams.u?.targets ?? [];
    expect(one).toMatchObject({ name: 'a', url: '***', endpoint: { host: 'canary.example', base: '/canary' } });
    expect(`${renderConfig(config)}${JSON.stringify({ ...config, upstreams: null })}`).not.toContain('canary');
  });

  test('is none for a route, which has no name for the upstream', () => {
    const [error, ...more] = errorsOf('routes: [{ upstream: { file: url } }]', { files });
    expect(more).toEqual([]);
    expect(error).toMatch(/^1:22 routes\[0\]\.upstream: comes from a file, .*"upstream: NAME" here/);
  });

  test('may be the name of an upstream for a route: that stands in the config', () => {
    const text = 'routes: [{ upstream: { file: u } }]\nupstreams: { u: { targets: [{ url: "ws://a" }] } }\n';
    expect(loaded(text, { files: { u: 'u' } }).routes[0]?.upstream).toBe('u');
  });

  test('is told by no other problem: not as a name twice, not as a proposal', () => {
    const twice = target('{ url: { file: url } }, { url: { file: url } }');
    expect(problemsOf(twice, { files }).map(({ path }) => path)).toEqual([
      'upstreams.u.targets[0].name',
      'upstreams.u.targets[1].name',
    ]);
    const near = `listeners: [{ address: { file: port } }]\n${route('match: { listeners: ["127.0.0.1:2"] }')}`;
    for (const { message } of problemsOf(near, { files })) expect(message).not.toContain('127.0.0.1:1');
  });
});

test.each([
  ['listeners: [{ name: { file: text } }]\n', '1:21 listeners[0].name'],
  ['listeners: [{ address: { file: port } }]\n', '1:24 listeners[0].address'],
  ['admin: { address: { file: port } }\n', '1:19 admin.address'],
  [route('name: { file: text }'), '2:39 routes[0].name'],
  [route('match: { path: { file: path } }'), '2:48 routes[0].match.path'],
  [route('match: { hosts: [a, { file: text }] }'), '2:53 routes[0].match.hosts[1]'],
  [route('subprotocols: [{ file: text }]'), '2:48 routes[0].subprotocols[0]'],
  [target('{ name: { file: text }, url: "ws://a" }'), '2:37 upstreams.u.targets[0].name'],
])('%j: what is shown does not come from a file', (text, place) => {
  expect(errorsOf(text, { files })).toEqual([`${place}: ${SHOWN}`]);
});

test.each([
  ['routes: [{ upstream: "ws://user:canary@a" }]', 'a target URL holds no user name or password'],
  ['routes: [{ upstream: "//user:canary@a" }]', 'expected a URL'],
  ['routes: [{ upstream: "//canary@a" }]', 'there is no upstream "***@a"'],
  ['listeners: [{ address: "canary:x@y" }]', 'a port is a whole number'],
  ['listeners: [{ address: "u/canary@y:1" }]', '"***@y" is neither a host name nor an IP address'],
  [route('match: { hosts: ["user:canary@a"] }'), '"***@a" is no host name'],
  [route('subprotocols: ["ws://canary@a"]'), '"***@a" is no subprotocol name'],
])('%j: no problem repeats user information', (text, message) => {
  const told = errorsOf(text).join('\n');
  expect(told).toContain(message);
  expect(told).not.toContain('canary');
});
