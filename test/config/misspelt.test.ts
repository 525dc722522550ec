// Every key of the schema misspelt, with a wrong unit, and with a wrong type: each in turn, and all in one pass.

import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { describeKeys, type KeyDescription } from '../../src/config/key-walk.ts';
import { errorsOf, problemsOf } from './loading.ts';

type Plain = Record<string, unknown>;

/** A path of the schema as a path into the config below: positions 0, the one upstream "u". */
function concrete(path: string): (string | number)[] {
  const parts: (string | number)[] = [];
  for (const part of path.split('.')) {
    const name = part === '*' ? 'u' : part.replace('[]', '');
    parts.push(name);
    if (part.endsWith('[]')) parts.push(0);
  }
  return parts;
}

const keys: readonly KeyDescription[] = describeKeys();
const leaves = keys.filter(
  ({ path }) => !keys.some((other) => other.path.startsWith(`${path}.`) || other.path.startsWith(`${path}[]`)),
);

/** What stands at `name`, made when it is not there yet: a list when a position follows. */
function inside(at: Plain, name: string | number, next: string | number | undefined): Plain {
  at[name] ??= typeof next === 'number' ? [] : {};
  return at[name] as Plain;
}

/** A config that names every key, with `value` at each leaf. */
function everyKey(
  value: (key: KeyDescription) => unknown,
  rename: (name: string) => string = (name) => name,
  some = leaves,
): Plain {
  const root: Plain = {};
  for (const key of some) {
    let at = root;
    const parts = concrete(key.path);
    for (const [index, part] of parts.entries()) {
      const isLast = index === parts.length - 1;
      const name = isLast && typeof part === 'string' ? rename(part) : part;
      if (isLast) at[name] = value(key);
      else at = inside(at, name, parts[index + 1]);
    }
  }
  return root;
}

function lineOf(text: string, path: readonly (string | number)[]): number {
  const name = String(path[path.length - 1]);
  let line = -1;
  const lines = text.split('\n');
  let from = 0;
  for (const part of path) {
    if (typeof part === 'number') continue;
    line = lines.findIndex((row, index) => index >= from && new RegExp(`^[ -]*"?${part}"?:`).test(row));
    from = line + (part === name ? 0 : 1);
  }
  return line + 1;
}

describe('every key in turn', () => {
  test.each(keys.map(({ path }) => path).filter((path) => !/close_codes\./.test(path)))('%s misspelt', (path) => {
    const parts = concrete(path);
    const name = String(parts[parts.length - 1]);
    const typo = `${name}x`;
    const root: Plain = {};
    let at = root;
    for (const [index, part] of parts.entries()) {
      if (index === parts.length - 1) at[typo] = 1;
      else at = inside(at, part, parts[index + 1]);
    }
    const found = problemsOf(stringify(root)).filter(({ message }) => message.startsWith('unknown key'));
    expect(found).toHaveLength(1);
    expect(found[0]?.message).toBe(`unknown key (did you mean "${name}"?)`);
    expect(found[0]?.path.endsWith(typo)).toBe(true);
  });
});

/** More problems than these together are not listed. */
const halves = [leaves.filter((_, index) => index % 2 === 0), leaves.filter((_, index) => index % 2 === 1)];

describe('many keys in one pass', () => {
  test.each(halves.map((some) => ({ some })))('every key misspelt is told, at its line', ({ some }) => {
    const text = stringify(
      everyKey(
        () => 1,
        (name) => `${name}x`,
        some,
      ),
    );
    const found = problemsOf(text).filter(({ message }) => message.startsWith('unknown key'));
    expect(found).toHaveLength(some.length);
    for (const key of some) {
      const parts = concrete(key.path);
      parts[parts.length - 1] = `${String(parts[parts.length - 1])}x`;
      expect(found.map(({ line }) => line)).toContain(lineOf(text, parts));
    }
    const lines = text.split('\n');
    for (const { line, column, path } of found) {
      expect(lines[(line ?? 0) - 1]?.slice((column ?? 0) - 1)).toMatch(new RegExp(`^${path.replace(/^.*\./, '')}:`));
    }
  });

  test('every value with a unit gets one problem when the unit is wrong', () => {
    const withUnit = leaves.filter(({ type }) => /^(duration|size)/.test(type));
    const text = stringify(everyKey((key) => (withUnit.includes(key) ? '5 parsecs' : null)));
    const found = problemsOf(text).filter(({ message }) => /^expected a (duration|size) such as/.test(message));
    expect(found).toHaveLength(withUnit.length);
  });

  test.each([
    // What takes these: claims, rates, and where YAML 1.1 makes true of on.
    ['a map', { a: 1 }, /^map of claims/],
    ['a list of maps', [{ a: 1 }], /^$/],
    ['a number', 1.5, /^number/],
    ['true', true, /^(true|on),/],
  ])('every key gets one problem when its value is %s', (_, value, taken) => {
    const text = stringify(everyKey(() => value));
    const found = new Map<string, number>();
    for (const { path, severity } of problemsOf(text)) {
      if (severity === 'error') found.set(path, (found.get(path) ?? 0) + 1);
    }
    const accepted = leaves.filter(({ type }) => taken.test(type));
    const told = leaves.filter(({ path }) => {
      const at = path.replaceAll('[]', '[0]').replace('.*', '.u');
      return [...found.keys()].some((key) => key === at || key.startsWith(`${at}[`) || key.startsWith(`${at}.`));
    });
    expect(told.length + accepted.length).toBe(leaves.length);
    expect(Math.max(...found.values())).toBe(1);
  });

  test('misspelt keys, wrong units, wrong types, unknown names and overlaps come together', () => {
    const text = `listners: []
routes:
  - match: { path: "/a/*" }
    upstream: chta
    limts: {}
    timeouts: { connect: 5 }
  - match: { path: "/a/*" }
    upstream: chat
    compression: 7
upstreams:
  chat:
    targets: [{ url: ws//a }]
limits:
  from_client: { max_message_size: 1MB }
  max_sessions: many
log: { level: loud }
`;
    expect(errorsOf(text).map((line) => line.split(': ')[0])).toEqual([
      '1:1 listners',
      '4:15 routes[0].upstream',
      '5:5 routes[0].limts',
      '6:26 routes[0].timeouts.connect',
      '7:12 routes[1].match',
      '9:18 routes[1].compression',
      '12:22 upstreams.chat.targets[0].url',
      '14:36 limits.from_client.max_message_size',
      '15:17 limits.max_sessions',
      '16:15 log.level',
    ]);
  });
});
