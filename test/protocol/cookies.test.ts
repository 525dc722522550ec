import { describe, expect, test } from 'vitest';
import { cookieValues, setCookie, withoutCookie } from '../../src/protocol/cookies.ts';
import { Random } from '../support/random.ts';

const MANY = 100;
const valuesIn = (...lines: string[]) => cookieValues(lines, 'fg', MANY);

describe('cookieValues', () => {
  test('finds the cookie among others, in any line, in order, as often as it is there', () => {
    expect(valuesIn('fg=1')).toEqual(['1']);
    expect(valuesIn('a=b; fg=1; c=d', 'fg=2;fg=3')).toEqual(['1', '2', '3']);
    expect(valuesIn()).toEqual([]);
    expect(valuesIn('', 'a=b', ';', '; ;=')).toEqual([]);
  });

  test('looks at so many and no more', () => {
    const lines = ['fg=1; fg=2', 'fg=3'];
    expect(cookieValues(lines, 'fg', 1)).toEqual(['1']);
    expect(cookieValues(lines, 'fg', 2)).toEqual(['1', '2']);
    expect(cookieValues(lines, 'fg', 3)).toEqual(['1', '2', '3']);
  });

  test('RFC 6265 4.2.2: names are told apart by case and by every byte', () => {
    expect(valuesIn('FG=1; Fg=2; xfg=3; fgx=4; fg.x=5; "fg"=6; __Host-fg=7')).toEqual([]);
  });

  test('a piece without "=" has no name', () => {
    expect(valuesIn('fg', 'fg; fg', '=fg', 'fg ;=1')).toEqual([]);
  });

  test('RFC 6265 5.2: blanks around name and value are not theirs; all behind the first "=" is the value', () => {
    expect(valuesIn(' fg =\t1 ;\tfg\t= 2=3 ')).toEqual(['1', '2=3']);
    expect(valuesIn('fg=', 'fg= ')).toEqual(['', '']);
  });

  test('RFC 6265 5.4: quotes are a part of the value, and hide no semicolon', () => {
    expect(valuesIn('fg="1"', 'fg="a; fg=b"')).toEqual(['"1"', '"a', 'b"']);
  });

  test('names that objects have are names', () => {
    expect(cookieValues(['__proto__=1; constructor=2'], '__proto__', MANY)).toEqual(['1']);
  });
});

describe('withoutCookie', () => {
  const rest = (line: string) => withoutCookie(line, 'fg');

  test('takes the cookie out wherever it stands, and leaves all others byte for byte', () => {
    expect(rest('fg=1; a=b;  c = "d;e" ;f')).toBe('a=b;  c = "d;e" ;f');
    expect(rest('a=b; fg=1; c=d')).toBe('a=b; c=d');
    expect(rest('a=b;  \xe9=\xff; fg=1')).toBe('a=b;  \xe9=\xff');
    expect(rest('fg=1; a=b; fg=2; fg=3; c')).toBe('a=b; c');
  });

  test('nothing is left of a line that held nothing else', () => {
    for (const line of ['fg=1', 'fg=1; fg=2', ' fg = 1 ', 'fg=']) expect(rest(line)).toBe('');
  });

  test('a line without it stays what it is, with all that is wrong in it', () => {
    for (const line of ['', ' ', ';', 'fg', '=fg', 'xfg=1; fgx=2', ' a=b ;; FG=1; ', 'a="fg=1'])
      expect(rest(line)).toBe(line);
  });

  test('what is left holds none of it and all others, whatever is sent', () => {
    const random = new Random(Date.now());
    const pieces = ['fg', '=', ';', ' ', '\t', '"', 'a', 'fg=1', '; ', 'b=c', '\xe9'];
    for (let run = 0; run < 2_000; run += 1) {
      const line = Array.from({ length: random.between(0, 20) }, () => random.pick(pieces)).join('');
      const found = rest(line);
      expect(cookieValues([found], 'fg', MANY), `seed ${random.seed}: ${JSON.stringify(line)}`).toEqual([]);
      const others = line.split(';').filter((piece) => !/^[ \t]*fg[ \t]*=/.test(piece));
      expect(found.trim(), `seed ${random.seed}: ${JSON.stringify(line)}`).toBe(others.join(';').trim());
    }
  });
});

test('a head full of cookies is walked over once', () => {
  const size = 16 * 1024;
  const lines = [
    'fg=1;'.repeat(size / 5),
    ';'.repeat(size),
    'fg'.repeat(size / 2),
    `fg${' '.repeat(size)}`,
    ' '.repeat(size),
  ];
  const startedAt = performance.now();
  for (let run = 0; run < 20; run += 1) {
    for (const line of lines) {
      cookieValues([line], 'fg', Number.POSITIVE_INFINITY);
      withoutCookie(line, 'fg');
    }
  }
  // 3 MiB; by the square it would take minutes.
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test('RFC 6265 4.1: a cookie says for what path and how long it is, and that scripts get no look at it', () => {
  const cookie = { name: 'fg', value: 'x', path: '/', maxAge: null, secure: false, sameSite: 'lax' } as const;
  expect(setCookie(cookie)).toBe('fg=x; Path=/; HttpOnly; SameSite=Lax');
  expect(setCookie({ ...cookie, path: '/a', maxAge: 60, secure: true, sameSite: 'none' })).toBe(
    'fg=x; Path=/a; Max-Age=60; HttpOnly; Secure; SameSite=None',
  );
  expect(setCookie({ ...cookie, sameSite: 'strict' })).toBe('fg=x; Path=/; HttpOnly; SameSite=Strict');
});
