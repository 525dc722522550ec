import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { isHopByHop, isKnownEndToEnd, isProxyClaim } from '../../src/protocol/field-names.ts';
import { projectRoot } from '../support/source.ts';

/** How source names a field: by reading it, by comparing with it, by writing it, as a line, in a table of fields. */
const NAMING = [
  /\b(?:valuesOf|firstValueOf)\([^;\n]*?, '([\w-]+)'\)/g,
  /\.lower (?:===|!==) '([\w-]+)'/g,
  /\blower\.startsWith\('([\w-]+)'\)/g,
  /\.(?:own|field)\('([\w-]+)'/g,
  /\bset\('([A-Z][\w-]+)'/g,
  /['`]([A-Z][A-Za-z0-9]*(?:-[A-Z][A-Za-z0-9]*)*): (?=[^ ])[^'`]*['`]/g,
  /\[\[?'([A-Z][A-Za-z-]+)', /g,
  /\['([a-z0-9-]+)', (?:HANDSHAKE_RULE|\{ onceBit)/g,
  /\bheaders(?:Distinct)?(?:\?\.|\.|\[')([a-zA-Z-]+)/g,
  /^ {6}'?([A-Z][A-Za-z-]+)'?: (?:answer|Buffer|'|")/gm,
  /\bheaders(?:\.|\[')([A-Z][A-Za-z-]+)/g,
];

/** Texts that look like one and are none. */
const NO_FIELDS: ReadonlySet<string> = new Set(['Bearer', 'CONNECT', 'GET', 'TRACE']);
/** Its tables are for people. */
const NO_HEADS: ReadonlySet<string> = new Set(['plain-page.ts']);

function namesIn(text: string): string[] {
  return NAMING.flatMap((naming) => [...text.matchAll(naming)].map((match) => match[1] ?? ''));
}

function sources(folder: string): string[] {
  return readdirSync(path.join(projectRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !NO_HEADS.has(path.basename(file)))
    .map((file) => path.join(projectRoot, folder, file));
}

const known = (name: string) => isHopByHop(name.toLowerCase()) || isKnownEndToEnd(name.toLowerCase());

test('every field that is read or set is in the list', () => {
  const found = new Map<string, string>();
  for (const folder of ['src/protocol', 'src/edge', 'src/admin', 'src/upstream', 'src/session']) {
    for (const file of sources(folder)) {
      for (const name of namesIn(readFileSync(file, 'utf8'))) found.set(name, file);
    }
  }
  expect([...found].filter(([name]) => !known(name) && !NO_FIELDS.has(name))).toEqual([]);
  const lower = new Set([...found.keys()].map((name) => name.toLowerCase()));
  // The patterns see what they are for: some of each kind.
  for (const name of [
    ...['host', 'origin', 'user-agent', 'x-request-id', 'expect', 'via', 'x-forwarded-proto', 'x-real-ip'],
    ...['sec-websocket-accept', 'content-encoding', 'retry-after', 'allow', 'cache-control', 'content-type'],
    ...['sec-fetch-site', 'www-authenticate', 'authorization', 'upgrade', 'transfer-encoding', 'content-length'],
  ]) {
    expect(lower, name).toContain(name);
  }
});

test('a name that is not in the list would be found', () => {
  expect(namesIn("valuesOf(head.fields, 'x-new')").filter((name) => !known(name))).toEqual(['x-new']);
  expect(namesIn("writer.own('X-New', 'a')").filter((name) => !known(name))).toEqual(['X-New']);
  expect(namesIn("if (field.lower === 'x-new')").filter((name) => !known(name))).toEqual(['x-new']);
  expect(namesIn("lines.push('X-New: a')").filter((name) => !known(name))).toEqual(['X-New']);
});

test("a field belongs to one hop, to both ends, or may be anybody's", () => {
  for (const name of ['connection', 'upgrade', 'te', 'keep-alive', 'http2-settings', 'transfer-encoding']) {
    expect([isHopByHop(name), isKnownEndToEnd(name)], name).toEqual([true, false]);
  }
  for (const name of ['host', 'cookie', 'authorization', 'origin', 'content-length', 'sec-websocket-anything', 'via']) {
    expect([isHopByHop(name), isKnownEndToEnd(name)], name).toEqual([false, true]);
  }
  for (const name of ['x-user', 'close', '__proto__', 'cookie2', 'constructor', 'x-forwarde']) {
    expect([isHopByHop(name), isKnownEndToEnd(name)], name).toEqual([false, false]);
  }
});

test('what proxies claim of clients is known by name and by family', () => {
  for (const name of ['cf-connecting-ip', 'x-forwarded', 'x-forwarded-anything', 'remote-user', 'x-remote-extra-uid']) {
    expect([isProxyClaim(name), isKnownEndToEnd(name)], name).toEqual([true, true]);
  }
  for (const name of ['cookie', 'x-request-id', 'x-user', 'cf-ray', 'x-auth', 'x-forwardedfor']) {
    expect(isProxyClaim(name), name).toBe(false);
  }
});
