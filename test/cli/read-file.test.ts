import { execFileSync } from 'node:child_process';
import { appendFileSync, closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { readFileNow, readFileSoon, readStream } from '../../src/cli/read-file.ts';
import { atTestEnd } from '../support/cleanup.ts';

const MIB = 1024 * 1024;
const LONG_MS = 15_000;

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'framegate-read-'));
  atTestEnd(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function pipe(): string {
  const file = path.join(folder(), 'pipe');
  execFileSync('mkfifo', [file]);
  return file;
}

describe('a file', () => {
  test('is read whole, an empty one too', async () => {
    const file = path.join(folder(), 'a');
    writeFileSync(file, '');
    expect((await readFileSoon(file, LONG_MS)).length).toBe(0);
    appendFileSync(file, 'text');
    expect((await readFileSoon(file, LONG_MS)).toString()).toBe('text');
    expect(readFileNow(file).toString()).toBe('text');
  });

  test('is read to one byte more than 1 MiB, an endless one too', async () => {
    const file = path.join(folder(), 'a');
    writeFileSync(file, Buffer.alloc(2 * MIB));
    for (const one of [file, '/dev/zero']) {
      expect((await readFileSoon(one, LONG_MS)).length).toBe(MIB + 1);
      expect(readFileNow(one).length).toBe(MIB + 1);
    }
  });

  test('is read to one byte more than another bound', () => {
    const file = path.join(folder(), 'a');
    for (const size of [MIB, MIB + 1, MIB + 2, 3 * MIB, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 6 * MIB]) {
      const bytes = Buffer.alloc(size, 'ten bytes.');
      writeFileSync(file, bytes);
      expect(readFileNow(file, 5 * MIB).equals(bytes.subarray(0, 5 * MIB + 1))).toBe(true);
    }
    expect(readFileNow('/dev/zero', 5 * MIB).length).toBe(5 * MIB + 1);
    expect(readFileNow('/dev/zero', 10).length).toBe(11);
  });

  test('that is not there has the code of the system', async () => {
    const file = path.join(folder(), 'gone');
    await expect(readFileSoon(file, LONG_MS)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(() => readFileNow(file)).toThrow(/ENOENT/);
  });
});

describe('a pipe', () => {
  test('is waited for until somebody writes, to the end of what is written', async () => {
    const file = pipe();
    const read = readFileSoon(file, LONG_MS);
    const fd = openSync(file, 'w');
    writeSync(fd, 'first ');
    await new Promise((resolve) => setImmediate(resolve));
    writeSync(fd, 'last');
    closeSync(fd);
    expect((await read).toString()).toBe('first last');
  });

  test('is waited for no longer than told', async () => {
    await expect(readFileSoon(pipe(), 0)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });

  test('without a name came with its writer: when that one is gone, its end is the end', async () => {
    const read = `(await m.readFileSoon('/dev/stdin', ${LONG_MS})).length`;
    const code = `import('./src/cli/read-file.ts').then(async (m) => console.info(${read}))`;
    const reading = `"$0" --import tsx -e "$1"`;
    for (const [writer, length] of [
      ['true', 0],
      ['head -c 100000 /dev/zero', 100_000],
    ]) {
      // Node's own pipes to its children are sockets.
      const script = ['-c', `${writer} | ${reading}`, process.execPath, code];
      expect(execFileSync('sh', script, { encoding: 'utf8' })).toBe(`${length}\n`);
    }
  });

  test('that holds nothing yet is not waited for by what reads at once', () => {
    expect(() => readFileNow(pipe())).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
  });
});

test('a stream is read to one byte more than 1 MiB, at least', async () => {
  const chunks = Array.from({ length: 100 }, () => Buffer.alloc(64 * 1024));
  expect((await readStream(Readable.from(chunks.slice(0, 2)))).length).toBe(128 * 1024);
  const { length } = await readStream(Readable.from(chunks));
  expect(length).toBeGreaterThan(MIB);
  expect(length).toBeLessThan(2 * MIB);
});
