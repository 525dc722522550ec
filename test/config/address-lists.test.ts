// Lists of addresses: in the config, or in a file of their own that is read once, judged line by line, and never shown.

import { describe, expect, test } from 'vitest';
import { hasEverybody, writtenList } from '../../src/config/address-lists.ts';
import { renderConfig } from '../../src/config/render.ts';
import type { AddressList } from '../../src/config/types.ts';
import { errorsOf, loaded, objectErrors, warningsOf } from './loading.ts';

const NAMED = 'trusted_proxies: { file: list.txt }';
const MIB = 1024 * 1024;

function listOf(text: string, file: string | Buffer = ''): AddressList {
  return loaded(text, { files: { 'list.txt': file } }).trusted_proxies;
}

/** What the file of a list holds, as the config would say it. */
function read(file: string | Buffer): unknown {
  const list = listOf(NAMED, file);
  expect(list.file).toBe('list.txt');
  return writtenList({ ...list, file: null });
}

function faults(file: string | Buffer): string[] {
  return errorsOf(NAMED, { files: { 'list.txt': file } }).map((line) => {
    expect(line).toMatch(/^1:26 trusted_proxies\.file: /);
    return line.replace(/^1:26 trusted_proxies\.file: /, '');
  });
}

describe('a list in the config', () => {
  test('is blocks in one spelling, and words', () => {
    const list = listOf('trusted_proxies: [10.0.0.0/8, unix, "FD00::/8", 192.0.2.1, unix]');
    expect(list).toMatchObject({ file: null, words: ['unix'] });
    expect(writtenList(list)).toEqual(['unix', '10.0.0.0/8', 'fd00::/8', '192.0.2.1/32']);
    expect(writtenList(listOf(''))).toEqual([]);
  });

  test('has a digest that equal lists share, and no others', () => {
    const digests = ['[]', '[unix]', '[10.0.0.0/8]', '[10.0.0.0/9]', '[unix, 10.0.0.0/8]', '["::a00:0/128"]'].map(
      (text) => listOf(`trusted_proxies: ${text}`).digest,
    );
    expect(new Set(digests).size).toBe(digests.length);
    expect(listOf('trusted_proxies: ["fd00:0::/8"]').digest).toBe(listOf('trusted_proxies: ["FD00::/8"]').digest);
    expect(listOf(NAMED, '10.0.0.0/8\nunix').digest).toBe(listOf('trusted_proxies: [unix, 10.0.0.0/8]').digest);
  });

  test.each([
    ['[unix:/run/x.sock]', '1:19 trusted_proxies[0]: expected an address block such as 10.0.0.0/8 or "fd00::/8"'],
    ['10.0.0.0/8', '1:18 trusted_proxies: expected a list, or {file: path}'],
    ['{ files: list.txt }', '1:18 trusted_proxies: expected a list, or {file: path}'],
    ['{ file: list.txt, more: 1 }', '1:36 trusted_proxies.more: unknown key'],
    ['{ file: 5 }', '1:18 trusted_proxies: expected a list, or {file: path}'],
    ['{ file: "" }', '1:26 trusted_proxies.file: expected the path of a file'],
    [
      '[10.0.0.0/8, { file: list.txt }]',
      '1:31 trusted_proxies[1]: a file stands for the whole list: write {file: path} in its place',
    ],
  ])('%s: %s', (text, error) => {
    expect(errorsOf(`trusted_proxies: ${text}`, { files: { 'list.txt': '10.0.0.0/8' } })).toEqual([error]);
  });
});

describe('a list in a file', () => {
  test('has one entry a line, with comments, blanks and any line ends', () => {
    const text = '\ufeff# ours\r\n\r\n 10.0.0.0/8\t# the first\r\nunix\n\n::1\n#192.0.2.1\n192.0.2.2#x';
    expect(read(text)).toEqual(['unix', '10.0.0.0/8', '::1/128', '192.0.2.2/32']);
    expect(read('')).toEqual([]);
    expect(read('\n')).toEqual([]);
    expect(read('# nothing')).toEqual([]);
  });

  test('is the same with and without a line end at its end', () => {
    for (const end of ['', '\n', '\r\n']) expect(read(`10.0.0.0/8${end}`)).toEqual(['10.0.0.0/8']);
  });

  test('each line at fault is told by its number, and not shown', () => {
    expect(faults('10.0.0.0/8\nroot:x:0:0\n\n10.0.0.1/8 # x\nfd00::%1/8\n10.0.0.0/33\nunix ')).toEqual([
      'line 2 of this file: expected an address block such as 10.0.0.0/8 or "fd00::/8"',
      'line 4 of this file: bits behind the prefix /8 are set',
      'line 5 of this file: an address block has no zone',
      'line 6 of this file: the prefix is a whole number from 0 to 32',
    ]);
  });

  test('two blocks in a line are none', () => {
    expect(faults('10.0.0.0/8, 11.0.0.0/8')).toHaveLength(1);
    expect(faults('10.0.0.0/8 11.0.0.0/8')).toHaveLength(1);
  });

  test('a line that is too long is no block, whatever it begins with', () => {
    expect(faults(`10.0.0.0/8${'0'.repeat(1_000)}`)).toHaveLength(1);
    expect(faults(`10.0.0.1${' '.repeat(100)}x`)).toHaveLength(1);
    expect(read(`${' '.repeat(100)}10.0.0.0/8${' '.repeat(100)}`)).toEqual(['10.0.0.0/8']);
  });

  test('ten lines at fault are told, and how many more there are', () => {
    expect(faults('x\n'.repeat(10))).toHaveLength(10);
    expect(faults('x\n'.repeat(11)).at(-1)).toBe('1 more line of this file, not listed');
    expect(faults('x\n'.repeat(100_000)).at(-1)).toBe('99990 more lines of this file, not listed');
    expect(faults(Buffer.alloc(3 * MIB, 0xff))).toHaveLength(1);
  });

  test('has 64 MiB at most', () => {
    const comment = Buffer.alloc(64 * MIB + 1, '#');
    comment.write('10.0.0.0/8\n');
    expect(read(comment.subarray(0, 64 * MIB))).toEqual(['10.0.0.0/8']);
    expect(faults(comment)).toEqual(['this file is over 64MiB']);
  });

  test('may hold a hundred thousand blocks', () => {
    const lines = Array.from({ length: 100_000 }, (_, at) => `10.${(at >> 8) & 255}.${at & 255}.0/24`);
    expect(listOf(NAMED, lines.join('\n')).blocks).toHaveLength(17 * 100_000);
  });

  test('that is not there is told', () => {
    expect(errorsOf(NAMED)).toEqual(['1:26 trusted_proxies.file: cannot read this file (ENOENT)']);
    expect(objectErrors({ trusted_proxies: { file: 'gone' } })).toEqual([
      'trusted_proxies.file: cannot read this file (ENOENT)',
    ]);
  });

  test('everybody is worth a warning', () => {
    const warning = '1:26 trusted_proxies.file: every client can claim any address';
    for (const text of ['0.0.0.0/0', '10.0.0.0/8\n::/0'])
      expect(warningsOf(NAMED, { files: { 'list.txt': text }, whole: false })).toContain(warning);
    expect(hasEverybody(listOf(NAMED, '0.0.0.0/1\n128.0.0.0/1'))).toBe(false);
  });

  test('its name is written again, not what it holds', () => {
    const config = loaded(NAMED, { files: { 'list.txt': '10.0.0.0/8' } });
    expect(renderConfig(config)).toContain('trusted_proxies:\n  file: list.txt\n');
    expect(renderConfig(loaded('trusted_proxies: [unix, 10.0.0.0/8]'))).toContain('- unix\n  - 10.0.0.0/8\n');
  });
});
