// ARCHITECTURE.md names folders, files, members, words of the code and commands: each of them is there.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { membersIn, Places } from './support/places.ts';
import { projectRoot, sourceFiles } from './support/source.ts';

const text = readFileSync(path.join(projectRoot, 'ARCHITECTURE.md'), 'utf8');
const scripts = Object.keys(JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8')).scripts);

const sources = sourceFiles('src', /\.ts$/);
const places = new Places(sources);
const members = new Set(sources.flatMap(membersIn));
/** A name that only a comment still says is gone. */
const words = new Set(sources.flatMap((file) => withoutComments(file.text).match(/\w+/g) ?? []));
const files = sourceFiles('', /./).map((file) => file.path);

function withoutComments(of: string): string {
  return of.replace(/\/\*.*?\*\/|(?<=^|\s)\/\/.*?$/gms, '');
}

const foldersOf = (folder: string): string[] =>
  readdirSync(path.join(projectRoot, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
const layers = foldersOf('src');

/** Paths that begin with a folder of the project or of src/, wherever they stand: the table, a picture, a sentence. */
function pathsIn(of: string): string[] {
  const known = [...layers, 'src', 'test', 'bench'].join('|');
  return [...of.matchAll(new RegExp(`(?<![\\w/.-])((?:${known})/[\\w./-]*)`, 'g'))].map(([, name = '']) =>
    name.replace(/[./]+$/, ''),
  );
}

/** `net/dial` is src/net/dial.ts, `test/fuzz/model` a folder. */
function isPath(name: string): boolean {
  const roots = layers.includes(name.split('/')[0] ?? '') ? ['src/'] : ['', 'src/'];
  return roots.some((root) =>
    ['', '.ts', '.test.ts'].some((end) => existsSync(path.join(projectRoot, root + name + end))),
  );
}

/** `watchers/utf8.ts` or `frame-scanner`, within any folder. */
function isFile(name: string): boolean {
  return files.some((file) => [name, `${name}.ts`, `${name}.test.ts`].some((end) => `/${file}`.endsWith(`/${end}`)));
}

function codesIn(of: string): string[] {
  const prose = of.replace(/^```.*?^```$/gms, '');
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

/** Members that a picture names: a block that is indented or fenced. */
function membersInPictures(of: string): string[] {
  const pictures = of.match(/^ {4,}.*?$|^```.*?^```$/gms) ?? [];
  return pictures.flatMap((one) => one.match(/\b[A-Z]\w*[a-z]\w*\.[a-z]\w*/g) ?? []);
}

/** Null for what is no name of anything here: a flag, a pattern, a value. */
const kinds: readonly (readonly [what: string, form: RegExp, isThere: (name: string) => boolean])[] = [
  ['command', /^npm (run )?[a-z:]+/, (name) => scripts.includes(/^npm (?:run )?([a-z:]+)/.exec(name)?.[1] ?? '')],
  ['path', /^[\w.-]+(\/[\w.-]+)*\/$/, (name) => isPath(name.slice(0, -1))],
  ['path', /^[\w.-]+(\/[\w.-]+)+$/, (name) => isPath(name) || isFile(name)],
  ['file', /^[\w.-]+\.(ts|mjs|json|ya?ml|md)$/, isFile],
  ['member', /^[A-Z]\w*\.\w+$/, (name) => places.named(name).length > 0 || members.has(name)],
  // A variable's, a config key's or one of Node's: the last word is one of the code.
  ['word', /^[A-Za-z_]\w*(\.\w+)*(\(\w*\))?$/, (name) => words.has(lastWord(name)) || isFile(name)],
  ['file', /^[a-z][a-z0-9]*(-[a-z0-9]+)+$/, isFile],
];

function lastWord(name: string): string {
  return name.replace(/\(.*/, '').split('.').at(-1) ?? '';
}

/** What a name is and whether it is there. */
function judge(name: string): readonly [what: string, isThere: boolean] | null {
  const kind = kinds.find(([, form]) => form.test(name));
  return kind === undefined ? null : [kind[0], kind[2](name)];
}

describe('every name of ARCHITECTURE.md', () => {
  test('that is a path, wherever it stands', () => {
    const named = pathsIn(text);
    expect(named.length).toBeGreaterThan(60);
    expect(named.filter((name) => !isPath(name))).toEqual([]);
  });

  test('that stands as code', () => {
    const named = [...codesIn(text), ...membersInPictures(text)].map((name) => [name, judge(name)] as const);
    const countOf = (what: string) => named.filter(([, judged]) => judged?.[0] === what).length;
    expect(countOf('member')).toBeGreaterThan(10);
    expect(countOf('word')).toBeGreaterThan(20);
    expect(named.filter(([, judged]) => judged?.[1] === false).map(([name]) => name)).toEqual([]);
  });
});

describe('the checks can fail', () => {
  test('paths are found in pictures, tables and sentences', () => {
    const found = pathsIn(
      '  -> head   edge/nothing   protocol/http-head, | `net/gone.ts` | src/net/dial. and/or x/net/y',
    );
    expect(found).toEqual(['edge/nothing', 'protocol/http-head', 'net/gone.ts', 'src/net/dial']);
    expect(found.map(isPath)).toEqual([false, true, false, true]);
    expect(['src', 'test/fuzz/model', 'test/imports', 'bench/nothing', 'net/dial/'].map(isPath)).toEqual([
      ...[true, true, true, false, false],
    ]);
  });

  test.each([
    ['npm run bench:nothing', 'command', false],
    ['npm run bench -- --compare', 'command', true],
    ['nothing/', 'path', false],
    ['src/net/', 'path', true],
    ['gone/utf8.ts', 'path', false],
    ['watch.ts', 'file', true],
    ['watched.ts', 'file', false],
    ['wheel-drivers', 'file', false],
    ['wheel-driver', 'file', true],
    ['FrameScanner.next', 'member', true],
    ['FrameScanner.nextOne', 'member', false],
    // A word of that class, but no member of it.
    ['FrameScanner.start', 'member', false],
    ['Transport.write', 'member', true],
    ['Transport.writeNothing', 'member', false],
    ['Nobody.write', 'member', false],
    ['Step.NeedData', 'member', true],
    ['Step.Nothing', 'member', false],
    ['createProxy(config)', 'word', true],
    ['createNothing(config)', 'word', false],
    ['timeouts.nothingLikeIt', 'word', false],
    ['NothingLikeIt', 'word', false],
  ] as const)('%s is a %s, there: %s', (name, what, isThere) => {
    expect(judge(name)).toEqual([what, isThere]);
  });

  test('members are found in pictures, indented and fenced', () => {
    expect(membersInPictures('Gone.far\n    -> x  Session.settle\n```\nEnd.gone, HTTP/1.1\n```\nEnd.far')).toEqual([
      ...['Session.settle', 'End.gone'],
    ]);
  });

  test('a comment holds no name', () => {
    expect(withoutComments('// a\nb; // c\n/** d\n e */ f("http://g");')).toBe('\nb; \n f("http://g");');
  });

  test('what names nothing is not judged', () => {
    expect(['--single-threaded', '[A-Za-z0-9-]', 'import type', 'FRAMEGATE_TRANSPORT=stream'].map(judge)).toEqual([
      ...[null, null, null, null],
    ]);
  });
});
