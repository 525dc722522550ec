import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import type { RouteConfig } from '../../src/config/types.ts';
import { Router } from '../../src/edge/router.ts';
import { comparePatterns, matchPath, type PathPattern, parsePattern, patternKey } from '../../src/protocol/path.ts';

const LISTENERS = ['public', 'inner'];

/** What else a route holds: the router does not ask. */
const [plain] = loadObject({ routes: [{ upstream: 'builtin:echo' }] }, { baseDir: '.' }).config.routes;

function route(name: string, hosts: readonly string[], path: string, listeners: readonly string[] = []): RouteConfig {
  if (plain === undefined) throw new Error('there is one route');
  return { ...plain, name, match: { hosts, path, encoded_slashes: 'refuse', listeners }, upstream: name };
}

/** Routes for any host, named by their paths. */
function paths(...all: readonly string[]): Router {
  return new Router(
    all.map((path) => route(path, [], path)),
    LISTENERS,
  );
}

/** Routes for all paths, named by their hosts. */
function hosts(...all: readonly string[]): Router {
  return new Router(
    all.map((host) => route(host, host === 'any' ? [] : [host], '/*')),
    LISTENERS,
  );
}

/** `name rest` of the chosen route, or null. */
function chosen(router: Router, hostname: string, path: string, listener = 'public'): string | null {
  const match = router.match(hostname, path, listener);
  return match === null ? null : `${match.route.name} ${match.rest}`.trimEnd();
}

describe('paths', () => {
  test('"/x" is exact', () => {
    const router = paths('/x');
    expect(chosen(router, 'h', '/x')).toBe('/x');
    for (const path of ['/', '/x/', '/x/y', '/xy', '/X', '/%78']) expect(chosen(router, 'h', path)).toBeNull();
  });

  test('P5: "/admin/*" is /admin and all below it, at a segment boundary, case-sensitive', () => {
    const router = paths('/admin/*');
    expect(chosen(router, 'h', '/admin')).toBe('/admin/*');
    expect(chosen(router, 'h', '/admin/')).toBe('/admin/* /');
    expect(chosen(router, 'h', '/admin/a//b/')).toBe('/admin/* /a//b/');
    for (const path of ['/adminx', '/ADMIN', '/Admin/', '/', '/a']) expect(chosen(router, 'h', path)).toBeNull();
  });

  test('P5: a slash at the end is significant', () => {
    const router = paths('/a', '/a/', '/b/*', '/b/');
    expect(chosen(router, 'h', '/a')).toBe('/a');
    expect(chosen(router, 'h', '/a/')).toBe('/a/');
    expect(chosen(router, 'h', '/b')).toBe('/b/*');
    expect(chosen(router, 'h', '/b/')).toBe('/b/');
  });

  test('"/*" is every path, its rest the whole path', () => {
    const router = paths('/*', '/');
    expect(chosen(router, 'h', '/')).toBe('/');
    expect(chosen(router, 'h', '/a/b')).toBe('/* /a/b');
  });

  test('"{name}" is exactly one whole segment, and not an empty one', () => {
    const router = paths('/room/{id}', '/team/{id}/log');
    expect(chosen(router, 'h', '/room/7')).toBe('/room/{id}');
    expect(chosen(router, 'h', '/team/blue/log')).toBe('/team/{id}/log');
    for (const path of ['/room', '/room/', '/room/7/', '/room/7/8', '/team//log', '/team/a/b/log']) {
      expect(chosen(router, 'h', path)).toBeNull();
    }
  });

  test('segment by segment literal before {name} before "*"', () => {
    const router = paths('/*', '/{a}/*', '/{a}/x', '/lit/*', '/lit/{b}', '/lit/x', '/lit');
    expect(chosen(router, 'h', '/lit/x')).toBe('/lit/x');
    expect(chosen(router, 'h', '/lit/y')).toBe('/lit/{b}');
    expect(chosen(router, 'h', '/lit/y/z')).toBe('/lit/* /y/z');
    expect(chosen(router, 'h', '/lit')).toBe('/lit');
    expect(chosen(router, 'h', '/lit/')).toBe('/lit/* /');
    expect(chosen(router, 'h', '/other/x')).toBe('/{a}/x');
    expect(chosen(router, 'h', '/other/x/')).toBe('/{a}/* /x/');
    expect(chosen(router, 'h', '//x')).toBe('/* //x');
  });

  test('a literal that leads nowhere does not hide what {name} and "*" match', () => {
    const router = paths('/a/b', '/{x}/c', '/a/b/c/d', '/*');
    expect(chosen(router, 'h', '/a/c')).toBe('/{x}/c');
    expect(chosen(router, 'h', '/a/b/c')).toBe('/* /a/b/c');
  });

  test('P4: ";" is an ordinary byte', () => {
    const router = paths('/admin', '/a;b/c');
    expect(chosen(router, 'h', '/admin;a=b')).toBeNull();
    expect(chosen(router, 'h', '/a;b/c')).toBe('/a;b/c');
  });

  test('H27: names that every object has are ordinary segments and hosts', () => {
    const router = new Router([route('p', ['__proto__'], '/constructor/*')], LISTENERS);
    expect(chosen(router, '__proto__', '/constructor/toString')).toBe('p /toString');
    for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
      expect(chosen(router, name, '/constructor')).toBeNull();
      expect(chosen(router, '__proto__', `/${name}x`)).toBeNull();
    }
  });

  test('agrees with matching every pattern in the order of their specificity', () => {
    const segment = fc.constantFrom('/a', '/b', '/{p}', '/');
    const pattern = fc.tuple(fc.array(segment, { maxLength: 4 }), fc.boolean()).map(([parts, prefix]) => {
      const named = parts.map((part, i) => (part === '/{p}' ? `/{p${i}}` : part)).join('');
      return prefix ? `${named}/*` : named || '/';
    });
    const path = fc.array(fc.constantFrom('/a', '/b', '/c', '/'), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 12 }), path, (texts, parts) => {
        const shapes = new Map<string, PathPattern>(
          texts.flatMap((text) => {
            const parsed = parsePattern(text);
            return parsed.ok ? [[patternKey(parsed.pattern), parsed.pattern] as const] : [];
          }),
        );
        const all = [...shapes.values()];
        const wanted = parts.join('');
        const best = all.filter((one) => matchPath(one, wanted) !== null).sort(comparePatterns)[0];
        const match = paths(...all.map((one) => one.text)).match('h', wanted, 'public');
        const got = match === null ? undefined : parsePattern(match.route.match.path);
        if (best === undefined || got === undefined || !got.ok) {
          expect(got).toBe(best);
          return;
        }
        expect(comparePatterns(got.pattern, best)).toBe(0);
        expect(match?.rest).toBe(matchPath(best, wanted)?.rest);
      }),
    );
  });
});

describe('hosts', () => {
  test('exact before the longest "*." before any', () => {
    const router = hosts('any', '*.example.com', '*.a.example.com', 'a.example.com', 'b.a.example.com');
    expect(chosen(router, 'b.a.example.com', '/')).toBe('b.a.example.com /');
    expect(chosen(router, 'c.a.example.com', '/')).toBe('*.a.example.com /');
    expect(chosen(router, 'd.c.a.example.com', '/')).toBe('*.a.example.com /');
    expect(chosen(router, 'a.example.com', '/')).toBe('a.example.com /');
    expect(chosen(router, 'b.example.com', '/')).toBe('*.example.com /');
    expect(chosen(router, 'example.com', '/')).toBe('any /');
    expect(chosen(router, 'example.org', '/')).toBe('any /');
  });

  test('"*." is one label or more, and never none', () => {
    const router = hosts('*.example.com');
    expect(chosen(router, 'a.example.com', '/')).toBe('*.example.com /');
    expect(chosen(router, 'a.b.c.example.com', '/')).toBe('*.example.com /');
    for (const host of ['example.com', '.example.com', 'xexample.com', 'a.example.com.evil.test', 'com', '']) {
      expect(chosen(router, host, '/')).toBeNull();
    }
  });

  test('a host without a matching path falls through to the less specific ones', () => {
    const router = new Router(
      [
        route('exact', ['a.example.com'], '/chat'),
        route('wild', ['*.example.com'], '/chat/*'),
        route('any', [], '/status'),
      ],
      LISTENERS,
    );
    expect(chosen(router, 'a.example.com', '/chat')).toBe('exact');
    expect(chosen(router, 'a.example.com', '/chat/x')).toBe('wild /x');
    expect(chosen(router, 'a.example.com', '/status')).toBe('any');
    expect(chosen(router, 'a.example.com', '/none')).toBeNull();
  });

  test('P6: among more than 100 hosts each finds its own route every time', () => {
    const names = Array.from({ length: 300 }, (_, i) => `h${i}.example.com`);
    const router = hosts(...names);
    for (let round = 0; round < 3; round++) {
      for (const name of names) expect(chosen(router, name, '/x')).toBe(`${name} /x`);
    }
    expect(chosen(router, 'h300.example.com', '/')).toBeNull();
  });

  test('IPv6 literals stand in brackets', () => {
    expect(chosen(hosts('[::1]'), '[::1]', '/')).toBe('[::1] /');
  });

  test('P8: nothing matches without a route', () => {
    expect(chosen(new Router([], LISTENERS), 'h', '/')).toBeNull();
  });

  test('a host of thousands of labels costs no more than the longest configured name', () => {
    const router = hosts('*.example.com', '*.a.example.com');
    const host = `${'x.'.repeat(8_000)}nowhere.test`;
    const start = performance.now();
    for (let i = 0; i < 1_000; i++) router.match(host, '/', 'public');
    // Quadratic work would take minutes; this takes a millisecond.
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});

describe('listeners', () => {
  test('a route serves the listeners it names, all when it names none', () => {
    const router = new Router([route('in', [], '/in', ['inner']), route('all', [], '/all')], LISTENERS);
    expect(chosen(router, 'h', '/in', 'inner')).toBe('in');
    expect(chosen(router, 'h', '/in', 'public')).toBeNull();
    expect(chosen(router, 'h', '/all', 'inner')).toBe('all');
    expect(chosen(router, 'h', '/all', 'public')).toBe('all');
  });

  test('the same host and path may belong to one route per listener, and never to two', () => {
    const inner = route('in', ['h'], '/x/{a}', ['inner']);
    const router = new Router([route('out', ['h'], '/x/{b}', ['public']), inner], LISTENERS);
    expect(chosen(router, 'h', '/x/1', 'inner')).toBe('in');
    expect(chosen(router, 'h', '/x/1', 'public')).toBe('out');
    expect(() => new Router([route('all', ['h'], '/x/{b}'), inner], LISTENERS)).toThrow('route in matches');
  });

  test('a host that stands twice in one route is no conflict', () => {
    expect(chosen(new Router([route('a', ['h', 'h'], '/x')], LISTENERS), 'h', '/x')).toBe('a');
  });
});
