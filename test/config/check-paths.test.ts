import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import type { ConfigInput } from '../../src/config/types.ts';

type Match = NonNullable<NonNullable<ConfigInput['routes']>[number]['match']>;

/** `route of the warning: message`, for routes that match so. */
function warningsOf(...matches: readonly Match[]): string[] {
  const routes = matches.map((match, i) => ({ name: `r${i}`, match, upstream: 'builtin:echo' }));
  const { warnings } = loadObject({ routes }, { baseDir: '.' });
  return warnings.map(({ path, message }) => `${path}: ${message}`);
}

const keep = (path: string, more: Match = {}): Match => ({ path, encoded_slashes: 'keep', ...more });
const taken = (own: number, other: number): string =>
  `routes[${own}].match.path: a backend that decodes paths can take one of this route for one of routes[${other}]`;

describe('a route that keeps escaped slashes', () => {
  test.each<[string, Match, Match]>([
    ['a {name} before a literal', keep('/cool/{document}/ws'), { path: '/*' }],
    ['a longer path', keep('/cool/{document}/ws'), { path: '/cool/{a}/{b}/ws' }],
    ['a {name} at the end', keep('/{id}'), { path: '/admin/users' }],
    ['a rest', keep('/open/*'), { path: '/open/secret/*' }],
    ['a rest, exactly', keep('/open/*'), { path: '/open/secret/x' }],
    ['a rest behind a {name}', keep('/x/{a}/*'), { path: '/x/{a}/admin/*' }],
    ['a literal with an escaped slash', keep('/group%2Fproject'), { path: '/group/project' }],
    ['another host that it covers', keep('/{a}', { hosts: ['*.a.test'] }), { path: '/x/y', hosts: ['b.a.test'] }],
  ])('is told of a route that its decoded paths can be of: %s', (_name, own, other) => {
    expect(warningsOf(own, other)).toEqual([taken(0, 1)]);
    expect(warningsOf(other, own)).toEqual([taken(1, 0)]);
  });

  test.each<[string, Match, Match]>([
    ['another literal', keep('/cool/{document}/ws'), { path: '/admin/*' }],
    ['as long as it is', keep('/cool/{document}/ws'), { path: '/cool/{document}/log' }],
    ['less specific, and decoded it is its own again', keep('/open/*'), { path: '/*' }],
    ['the same with a {name}', keep('/open/{a}/*'), { path: '/open/*' }],
    ['without a slash it is told apart', keep('/open/*'), { path: '/open/secret' }],
    ['no {name} and no rest', keep('/open'), { path: '/*' }],
    ['another host', keep('/{a}', { hosts: ['a.test'] }), { path: '/*', hosts: ['b.test', '*.a.test'] }],
  ])('is not told of others: %s', (_name, own, other) => {
    expect(warningsOf(own, other)).toEqual([]);
  });

  test('is not told of a route on another listener', () => {
    const listeners = [
      { name: 'a', address: '127.0.0.1:1' },
      { name: 'b', address: '127.0.0.1:2' },
    ];
    const routes = [
      { match: keep('/{x}', { listeners: ['a'] }), upstream: 'builtin:echo' },
      { match: { path: '/*', listeners: ['b'] }, upstream: 'builtin:echo' },
    ];
    expect(loadObject({ listeners, routes }, { baseDir: '.' }).warnings).toEqual([]);
  });
});

describe('escapes in the path of a route', () => {
  test('an escaped slash that the route refuses never matches', () => {
    const message = 'never matches: %2F and %5C are refused here unless encoded_slashes is keep';
    expect(warningsOf({ path: '/a%2fb' })).toEqual([`routes[0].match.path: ${message}`]);
    expect(warningsOf({ path: '/a%5Cb/*' })).toEqual([`routes[0].match.path: ${message}`]);
    expect(warningsOf(keep('/a%2fb'))).toEqual([]);
  });

  test('two routes that differ in escapes alone are one to a backend that decodes', () => {
    expect(warningsOf({ path: '/%63hat/*' }, { path: '/chat/*' })).toEqual([taken(0, 1)]);
    expect(warningsOf({ path: '/caf%c3%a9' }, { path: '/caf%C3%A9' })).toEqual([taken(0, 1), taken(1, 0)]);
    expect(warningsOf({ path: '/caf%C3%A9' }, { path: '/*' }, { path: '/cafe' })).toEqual([]);
  });
});

describe('a path in the syntax of another program', () => {
  test.each([
    ['/room/:id', '":id" is taken as it stands: {id} is any segment'],
    ['/:a/:b/*', '":a" is taken as it stands: {a} is any segment'],
    ['/ws/(a)', 'is taken as it stands: there are no regular expressions here'],
    ['/ws|/chat', 'is taken as it stands: there are no regular expressions here'],
    ['/ws$', 'is taken as it stands: there are no regular expressions here'],
  ])('%s matches nothing but itself, which is told', (path, told) => {
    expect(warningsOf({ path })).toEqual([`routes[0].match.path: ${told}`]);
  });

  test.each(['/room/{id}', '/a:b', '/:', '/:80', '/$metadata', '/:)', '/*'])('%s may be meant so', (path) => {
    expect(warningsOf({ path })).toEqual([]);
  });
});

test('thousands of such routes are judged in bounded time', () => {
  const many = Array.from({ length: 3000 }, (_, i) => keep(`/{a}/{b}/{c}/{d}/x${i}`));
  const start = performance.now();
  warningsOf(...many);
  // Without a bound it would be minutes.
  expect(performance.now() - start).toBeLessThan(20_000);
});

test('the path of a target url is judged by the rules of targets', () => {
  for (const base of ['/a%2F..%2Fb', '/%2e%2E', '/a;b/..;c', '/%00', '/a//b']) {
    const upstream = `ws://127.0.0.1:1${base}`;
    expect(() => loadObject({ routes: [{ upstream }] }, { baseDir: '.' }), base).toThrow('dot or empty segments');
  }
});
