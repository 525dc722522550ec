import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type FdCalls, FdWriter, SHARED_BYTES_MAX } from '../../src/observe/fd-writer.ts';

type Done = (error: NodeJS.ErrnoException | null, written: number) => void;

/** A descriptor whose writes finish when the test says so, and how. */
class ScriptedFd implements FdCalls {
  taken = '';
  writes = 0;
  opened = 0;
  closed = 0;
  room = Number.POSITIVE_INFINITY;
  /** Collects lines after a write until the test ends that; null: that takes no time. */
  resting: (() => void)[] | null = null;
  private asked: { bytes: Buffer; done: Done } | null = null;

  rest(run: () => void): void {
    if (this.resting === null) run();
    else this.resting.push(run);
  }

  open(fd: number): number {
    this.opened += 1;
    return fd + 100;
  }

  close(): void {
    this.closed += 1;
  }

  write(_fd: number, bytes: Buffer, done: Done): void {
    expect(this.asked).toBeNull();
    this.writes += 1;
    this.asked = { bytes, done };
  }

  writeSync(_fd: number, bytes: Buffer): number {
    if (this.room <= 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    const written = Math.min(bytes.length, this.room);
    this.room -= written;
    this.taken += bytes.toString('latin1', 0, written);
    return written;
  }

  /** The write that is open takes `count` bytes, all by default. */
  take(count = Number.POSITIVE_INFINITY): void {
    const { asked } = this;
    this.asked = null;
    if (asked === null) return;
    const written = Math.min(count, asked.bytes.length);
    this.taken += asked.bytes.toString('latin1', 0, written);
    asked.done(null, written);
  }

  fail(code: string): void {
    const { asked } = this;
    this.asked = null;
    asked?.done(Object.assign(new Error(code), { code }), 0);
  }
}

function makeWriter() {
  const fd = new ScriptedFd();
  return { fd, writer: new FdWriter(1, fd) };
}

/** A line of `bytes` bytes with its LF. */
function line(bytes: number): string {
  return `${'x'.repeat(bytes - 1)}\n`;
}

describe('writing', () => {
  test('one write is open at a time, lines that come meanwhile go with the next', () => {
    const { fd, writer } = makeWriter();
    for (const text of ['a\n', 'b\n', 'c\n']) writer.write(text);
    expect(fd.writes).toBe(1);
    fd.take();
    expect([fd.writes, fd.taken]).toEqual([2, 'a\n']);
    fd.take();
    expect([fd.writes, fd.taken, writer.linesDropped]).toEqual([2, 'a\nb\nc\n', 0]);
  });

  test('lines that come soon after a write are collected, up to 64 KiB', () => {
    const { fd, writer } = makeWriter();
    fd.resting = [];
    writer.write('a\n');
    fd.take();
    for (const line of ['b\n', 'c\n']) writer.write(line);
    expect([fd.writes, fd.taken]).toEqual([1, 'a\n']);
    fd.resting.pop()?.();
    fd.take();
    expect([fd.writes, fd.taken]).toEqual([2, 'a\nb\nc\n']);
    writer.write(`${'d'.repeat(65_534)}\n`);
    expect(fd.writes).toBe(2);
    writer.write('\n');
    expect(fd.writes).toBe(3);
  });

  test('a flush waits for no more lines', async () => {
    const { fd, writer } = makeWriter();
    fd.resting = [];
    writer.write('a\n');
    fd.take();
    writer.write('b\n');
    const flushed = writer.flush();
    fd.take();
    await flushed;
    expect(fd.taken).toBe('a\nb\n');
  });

  test('what a write did not take is written next, before all else', () => {
    const { fd, writer } = makeWriter();
    writer.write('abc\n');
    writer.write('d\n');
    for (let i = 0; i < 10; i++) fd.take(1);
    expect(fd.taken).toBe('abc\nd\n');
  });

  test('at most 64 KiB go at once, one longer line as it is', () => {
    const { fd, writer } = makeWriter();
    writer.write('first\n');
    for (const size of [65_535, 1, 1, 70_000, 1]) writer.write(line(size));
    const sizes: number[] = [];
    while (fd.writes > sizes.length) {
      const before = fd.taken.length;
      fd.take();
      sizes.push(fd.taken.length - before);
    }
    expect(sizes).toEqual([6, 65_536, 1, 70_000, 1]);
  });

  test('where others write to the same pipe, whole lines of 4096 bytes at most go at once', () => {
    const fd = new ScriptedFd();
    const writer = new FdWriter(1, fd, SHARED_BYTES_MAX);
    writer.write('first\n');
    for (const size of [4_095, 1, 1, 5_000, 1]) writer.write(line(size));
    const sizes: number[] = [];
    while (fd.writes > sizes.length) {
      const before = fd.taken.length;
      fd.take();
      sizes.push(fd.taken.length - before);
    }
    expect(sizes).toEqual([6, 4_096, 1, 5_000, 1]);
  });

  test('4 MiB are held, beyond them new lines are dropped and counted', () => {
    const { fd, writer } = makeWriter();
    writer.write('first\n');
    for (let i = 0; i < 64; i++) writer.write(line(65_536));
    expect([writer.linesDropped, writer.isFull]).toEqual([0, true]);
    writer.write('\n');
    expect(writer.linesDropped).toBe(1);
    fd.take();
    writer.write('\n');
    expect(writer.linesDropped).toBe(1);
  });
});

describe('E20: an output that fails', () => {
  test.each(['ENOSPC', 'EIO'])('E20: %s loses nothing, and is tried again by retry only', (code) => {
    const { fd, writer } = makeWriter();
    writer.write('a\n');
    fd.fail(code);
    writer.write('b\n');
    writer.retryFull();
    expect(fd.writes).toBe(1);
    writer.retry();
    expect(fd.writes).toBe(2);
    fd.take();
    fd.take();
    expect([fd.taken, writer.linesDropped]).toEqual(['a\nb\n', 0]);
  });

  test('EAGAIN is tried again when 16 KiB more wait, so that a flood keeps up with its reader', () => {
    const { fd, writer } = makeWriter();
    writer.write('a\n');
    fd.fail('EAGAIN');
    for (let i = 0; i < 15; i++) writer.write(line(1024));
    expect(fd.writes).toBe(1);
    writer.write(line(1024));
    expect(fd.writes).toBe(2);
    fd.fail('EAGAIN');
    writer.write(line(1024));
    expect(fd.writes).toBe(2);
    writer.write(line(16_384));
    expect(fd.writes).toBe(3);
  });

  test('EAGAIN is tried again soon', () => {
    const { fd, writer } = makeWriter();
    writer.write('a\n');
    fd.fail('EAGAIN');
    writer.write('b\n');
    expect(fd.writes).toBe(1);
    writer.retryFull();
    fd.take();
    fd.take();
    expect(fd.taken).toBe('a\nb\n');
    writer.retryFull();
    expect(fd.writes).toBe(3);
  });

  test.each(['EPIPE', 'EBADF'])('E20: after %s every line is dropped and counted', (code) => {
    const { fd, writer } = makeWriter();
    writer.write('a\nb\n');
    writer.write('c\n');
    fd.fail(code);
    expect(writer.linesDropped).toBe(3);
    writer.write('d\n');
    writer.retry();
    writer.flushSync();
    expect([writer.linesDropped, fd.writes, fd.taken]).toEqual([4, 1, '']);
  });
});

describe('flushing', () => {
  test('waits for what is being written and closes what was opened; a later line opens it again', async () => {
    const { fd, writer } = makeWriter();
    writer.write('a\n');
    const flushed = writer.flush();
    fd.take();
    await flushed;
    expect([fd.taken, fd.opened, fd.closed]).toEqual(['a\n', 1, 1]);
    writer.write('b\n');
    fd.take();
    expect([fd.taken, fd.opened]).toEqual(['a\nb\n', 2]);
  });

  test('does not wait for a full disk', async () => {
    const { fd, writer } = makeWriter();
    writer.write('a\n');
    fd.fail('ENOSPC');
    const flushed = writer.flush();
    fd.fail('ENOSPC');
    await flushed;
    expect(fd.writes).toBe(2);
  });

  test('E21: does not wait for ever for a reader that stalls', async () => {
    const { fd, writer } = makeWriter();
    writer.write('a\n');
    await writer.flush();
    expect([fd.taken, fd.closed]).toEqual(['', 0]);
  });

  test('at once: writes what waits, and counts what is not taken', () => {
    const { fd, writer } = makeWriter();
    writer.write('a\n');
    fd.fail('ENOSPC');
    writer.write('b\n');
    writer.flushSync();
    expect(fd.taken).toBe('a\nb\n');
    fd.room = 3;
    writer.write('cc\n');
    writer.write('dd\n');
    writer.flushSync();
    expect([fd.taken, writer.linesDropped]).toEqual(['a\nb\ncc\n', 1]);
  });

  test('at once: what another thread is writing is left to it', () => {
    const { fd, writer } = makeWriter();
    writer.write('a\n');
    writer.write('b\n');
    writer.flushSync();
    expect(fd.taken).toBe('b\n');
    fd.take();
    expect(fd.taken).toBe('b\na\n');
  });
});

describe('real descriptors', () => {
  test('a file gets every line in order', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fd-writer-'));
    const path = join(folder, 'log');
    const fd = openSync(path, 'w');
    onTestFinished(() => {
      closeSync(fd);
      rmSync(folder, { recursive: true });
    });
    const writer = new FdWriter(fd);
    let wanted = '';
    for (let i = 0; i < 5_000; i++) {
      wanted += `line ${i}\n`;
      writer.write(`line ${i}\n`);
    }
    await writer.flush();
    expect(readFileSync(path, 'latin1')).toBe(wanted);
  });

  test.runIf(existsSync('/dev/full'))('E20: a full disk harms nobody', async () => {
    const fd = openSync('/dev/full', 'w');
    onTestFinished(() => closeSync(fd));
    const writer = new FdWriter(fd);
    for (let i = 0; i < 20_000; i++) writer.write(line(1024));
    await writer.flush();
    writer.retry();
    await writer.flush();
    expect(writer.linesDropped).toBeGreaterThan(10_000);
    writer.flushSync();
    expect(writer.linesDropped).toBe(20_000);
  });

  const module = new URL('../../src/observe/fd-writer.ts', import.meta.url).href;
  const node = (script: string) => [
    '--import',
    'tsx',
    '--input-type=module',
    '-e',
    `const { FdWriter } = await import(${JSON.stringify(module)}); const writer = new FdWriter(1); ${script}`,
  ];

  test('E20: a pipe whose reader is gone does not end the process', async () => {
    const child = spawn(process.execPath, [
      ...node(`
        process.stdin.once('data', async () => {
          for (let i = 0; i < 3; i++) { writer.write('x\\n'); await writer.flush(); }
          process.stderr.write(String(writer.linesDropped));
          process.exit(0);
        });
        process.stderr.write('up ');
      `),
    ]);
    let told = '';
    child.stderr.on('data', (chunk) => {
      if (told === '') {
        child.stdout.destroy();
        child.stdout.once('close', () => child.stdin.write('go'));
      }
      told += chunk;
    });
    const [code] = await once(child, 'close');
    expect([code, told]).toEqual([0, 'up 3']);
  });

  test.runIf(process.platform === 'linux')('E21: a process whose log reader stalls can still exit', async () => {
    const script = node(`
      for (let i = 0; i < 5_000; i++) writer.write('x'.repeat(99) + '\\n');
      await writer.flush();
      process.exit(7);
    `);
    // The shell makes a real pipe; its reader sleeps until the test is over.
    const shell = '{ "$@"; echo "code $?" >&2; } | sleep 60';
    const child = spawn('/bin/sh', ['-c', shell, 'sh', process.execPath, ...script], { detached: true });
    const group = child.pid ?? Number.NaN;
    onTestFinished(() => void process.kill(-group, 'SIGKILL'));
    let told = '';
    const answered = new Promise<void>((resolve) => {
      child.stderr.on('data', (chunk) => {
        told += chunk;
        if (told.includes('code')) resolve();
      });
    });
    await answered;
    expect(told.trim()).toBe('code 7');
  });
});
