import { describe, expect, test } from 'vitest';
import {
  comparePatterns,
  judgePath,
  matchPath,
  type PathPattern,
  parsePattern,
  patternKey,
  rewritePath,
  rewriteProblem,
} from '../../src/protocol/path.ts';

function pattern(text: string): PathPattern {
  const parsed = parsePattern(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.pattern;
}

const rest = (text: string, path: string): string | null => matchPath(pattern(text), path)?.rest ?? null;

function judged(path: string): string {
  const verdict = judgePath(path);
  return verdict.ok ? verdict.decoded : `400 ${verdict.slug}`;
}

describe('which paths are refused', () => {
  test.each(['/public/../admin', '/./', '/.', '/..', '/a/..', '/a/.', '/a/./b', '/../', '/..;/x', '/a/..;v=1', '/.;/'])(
    'P1: dot segments: %s (RFC 3986 5.2.4)',
    (path) => {
      expect(judged(path)).toBe('400 dot_segment');
    },
  );

  test.each(['/.well-known/x', '/...', '/a..', '/..a', '/a.b', '/a/...;x', '/;..'])(
    'P1: no dot segment: %s',
    (path) => {
      expect(judged(path)).toBe(path);
    },
  );

  test.each([
    '/%2e%2e/x',
    '/%2E%2e',
    '/a/%2e',
    '/.%2E/',
    '/a%2F..%2Fb',
    '/a%2f%2e%2e',
    '/a%5C..%5cb',
    '/a/..%5Cb',
    '/..%2f',
    '/..%3Bx/',
  ])('P2: a dot segment behind escapes: %s', (path) => {
    expect(judged(path)).toBe('400 dot_segment');
  });

  test.each(['/%00', '/a%00b', '/%', '/%z', '/%zz', '/a%4', '/%4z', '/%%41', '/a/%'])(
    'P2: a bad escape or NUL: %s (RFC 3986 2.1)',
    (path) => {
      expect(judged(path)).toBe('400 encoded_path');
    },
  );

  test('P2: the decoded path is what a backend may see that decodes once before it splits', () => {
    expect(judged('/cool/https%3A%2F%2Fa.example%2Fx/ws')).toBe('/cool/https://a.example/x/ws');
    expect(judged('/a%5Cb')).toBe('/a/b');
    expect(judged('/a%2ehtml')).toBe('/a.html');
    expect(judged('/%63%48at%7e')).toBe('/cHat~');
    expect(judged('/%252e%252e/x')).toBe('/%252e%252e/x');
    expect(judged('/%c3%A9%01%7f')).toBe('/\xc3\xa9\x01\x7f');
  });

  test('P3: a path that begins with // could be taken for a host', () => {
    expect(judged('//evil.com/x')).toBe('400 double_slash');
    expect(judged('//')).toBe('400 double_slash');
    expect(judged('/a//b')).toBe('/a//b');
  });

  test('P4: ; is an ordinary byte', () => {
    expect(judged('/admin;a=b')).toBe('/admin;a=b');
    expect(judged('/admin;/../x')).toBe('400 dot_segment');
    expect(rest('/admin', '/admin;a=b')).toBeNull();
    expect(rest('/admin/*', '/admin;a=b')).toBeNull();
    expect(rest('/a/*', '/a;b/c')).toBeNull();
  });
});

describe('what a pattern matches', () => {
  test.each([
    ['/chat', '/chat', ''],
    ['/chat', '/chat/', null],
    ['/chat', '/chatx', null],
    ['/chat/', '/chat/', ''],
    ['/chat/', '/chat', null],
    ['/', '/', ''],
    ['/', '/a', null],
    ['/*', '/', '/'],
    ['/*', '/a/b', '/a/b'],
    ['/chat/*', '/chat', ''],
    ['/chat/*', '/chat/', '/'],
    ['/chat/*', '/chat/a/b', '/a/b'],
    ['/room/{id}', '/room/7', ''],
    ['/room/{id}', '/room/', null],
    ['/room/{id}', '/room', null],
    ['/room/{id}', '/room/7/', null],
    ['/room/{id}', '/room/7/x', null],
    ['/room/{id}/ws', '/room/7/ws', ''],
    ['/room/{id}/ws', '/room//ws', null],
    ['/room/{id}/*', '/room/7', ''],
    ['/room/{id}/*', '/room/7/x/y', '/x/y'],
    ['/room/{id}/*', '/room/', null],
    ['/{a}/{b}', '/x/y', ''],
    ['/{a}', '/%2F', ''],
    ['/a%2Fb', '/a/b', null],
  ])('%s on %s gives %s', (text, path, expected) => {
    expect(rest(text, path)).toBe(expected);
  });

  test.each([
    ['/admin/*', '/adminx', null],
    ['/admin/*', '/ADMIN', null],
    ['/admin/*', '/Admin/x', null],
    ['/admin/*', '/admin/', '/'],
    ['/admin', '/admin/', null],
    ['/admin/*', '/admi', null],
  ])('P5: whole segments, case and slashes count: %s on %s', (text, path, expected) => {
    expect(rest(text, path)).toBe(expected);
  });

  test.each(['', 'chat', '*', '/a*', '/a/*/b', '/a**', '/{id', '/id}', '/x{id}', '/{id}x', '/{}', '/{1}', '/{a b}'])(
    '%j is no pattern',
    (text) => {
      expect(parsePattern(text).ok).toBe(false);
    },
  );

  test.each(['/{a}/{a}', '/a?b', '/a#b', '/a b', '/é', '//a', '/a/../b', '/./*', '/%2e%2e', '/%zz', '/a\\b', '/😀'])(
    '%j can never match, so it is a problem',
    (text) => {
      expect(parsePattern(text).ok).toBe(false);
    },
  );

  test('a problem says what is wrong in one sentence', () => {
    expect(parsePattern('/a*')).toEqual({ ok: false, problem: '"*" stands only at the end, as "/*"' });
    expect(parsePattern('/é')).toEqual({ ok: false, problem: '"é" never occurs in a path, percent-encode it' });
  });
});

describe('which pattern is the more specific one', () => {
  test('literal before {name} before *, segment by segment', () => {
    const ordered = ['/a/b/c', '/a/b', '/a/b/*', '/a/{x}', '/a/{x}/*', '/a', '/a/*', '/{x}/b', '/{x}', '/{x}/*', '/*'];
    const reversed = ordered.map(pattern).reverse();
    expect(reversed.sort(comparePatterns).map((each) => each.text)).toEqual(ordered);
  });

  test('patterns that match the same set compare as 0 and have one key', () => {
    expect(comparePatterns(pattern('/{a}/x/*'), pattern('/{b}/x/*'))).toBe(0);
    expect(patternKey(pattern('/{a}/x/*'))).toBe(patternKey(pattern('/{b}/x/*')));
    const distinct = ['/', '/*', '/a', '/a/', '/a/*', '/{a}', '/{a}/*', '/a/{b}'].map(pattern);
    expect(new Set(distinct.map(patternKey)).size).toBe(distinct.length);
    for (const a of distinct) for (const b of distinct) expect(comparePatterns(a, b) === 0).toBe(a === b);
  });
});

describe('what a rewrite makes of a path', () => {
  test.each([
    ['/chat/*', '/ws/*', '/chat', '/ws'],
    ['/chat/*', '/ws/*', '/chat/', '/ws/'],
    ['/chat/*', '/ws/*', '/chat/a', '/ws/a'],
    ['/chat/*', '/ws/*', '/chat/a%2Fb//c', '/ws/a%2Fb//c'],
    ['/chat/*', '/*', '/chat', '/'],
    ['/chat/*', '/*', '/chat/a', '/a'],
    ['/*', '/ws/*', '/', '/ws/'],
    ['/*', '/ws/*', '/a', '/ws/a'],
    ['/chat/*', '/fixed', '/chat/a', '/fixed'],
    ['/chat', '/fixed', '/chat', '/fixed'],
  ])('%s to %s: %s becomes %s', (from, to, path, expected) => {
    expect(rewriteProblem(to, pattern(from))).toBeNull();
    expect(rewritePath(to, rest(from, path) ?? 'no match')).toBe(expected);
  });

  test('a rewrite is a path without names, and * needs a prefix to take from', () => {
    expect(rewriteProblem('/ws/*', pattern('/chat'))).toContain('match.path');
    expect(rewriteProblem('/ws/{id}', pattern('/chat/{id}'))).toContain('{name}');
    expect(rewriteProblem('ws', pattern('/chat'))).toContain('"/"');
    expect(rewriteProblem('/a/../b', pattern('/chat'))).toContain('..');
  });
});
