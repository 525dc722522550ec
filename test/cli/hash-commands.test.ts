import { createHash, scryptSync } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { type HashCommand, runHashCommand } from '../../src/cli/hash-commands.ts';
import { isBounded, parsePasswordHash } from '../../src/protocol/password-hash.ts';
import { loaded } from '../config/loading.ts';

async function run(command: HashCommand, input: string | Buffer = '', isTTY = false) {
  let stdout = '';
  let stderr = '';
  const stdin = Object.assign(Readable.from([Buffer.from(input)]), { isTTY });
  const exit = await runHashCommand(command, {
    stdin,
    print: (text) => {
      stdout += text;
    },
    complain: (text) => {
      stderr += text;
    },
  });
  return { exit, stdout, stderr };
}

const password = { kind: 'hash-password' } as const;

describe('hash-password', () => {
  test('prints one line, which is what basic takes, with a salt of its own each time', async () => {
    const { exit, stdout } = await run(password, 'pässword 1');
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$[+/0-9A-Za-z]{22}\$[+/0-9A-Za-z]{43}\n$/);
    const parsed = parsePasswordHash(stdout.trim());
    expect(parsed === null ? null : isBounded(parsed)).toBe(true);
    const again = scryptSync('pässword 1', parsed?.salt ?? '', 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 });
    expect(parsed?.hash).toEqual(again);
    expect((await run(password, 'pässword 1')).stdout).not.toBe(stdout);
    const users = `auth: { staff: { basic: { users: [{ name: a, password: "${stdout.trim()}" }] } } }`;
    expect(Object.keys(loaded(users).auth)).toEqual(['staff']);
  });

  test.each(['word\n', 'word\r\n'])('drops one newline at the end: %j', async (input) => {
    const parsed = parsePasswordHash((await run(password, input)).stdout.trim());
    const again = scryptSync('word', parsed?.salt ?? '', 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 });
    expect(parsed?.hash).toEqual(again);
  });

  test.each<[string, string | Buffer, boolean, RegExp]>([
    ['nothing', '', false, /there is no password/],
    ['a newline alone', '\n', false, /there is no password/],
    ['two lines', 'secret-one\nsecret-two\n', false, /one line/],
    ['two newlines', 'secret-one\n\n', false, /one line/],
    ['a NUL', 'secret\0', false, /control/],
    ['1025 bytes', 'x'.repeat(1025), false, /at most 1024 bytes/],
    ['a terminal', 'secret', true, /printf/],
  ])('refuses %s with 2, and shows nothing of it', async (_, input, isTTY, problem) => {
    const { exit, stdout, stderr } = await run(password, input, isTTY);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr).toMatch(/^framegate: .*\n$/);
    expect(stderr).toMatch(problem);
    expect(stderr).not.toMatch(/secret|xxx/);
  });

  test('takes 1024 bytes', async () => {
    expect((await run(password, `${'x'.repeat(1024)}\n`)).exit).toBe(0);
  });
});

describe('hash-key', () => {
  test('prints a key of 32 random bytes and the entry that lets it in', async () => {
    const { exit, stdout } = await run({ kind: 'hash-key', prefix: 'fgk_' });
    const [key = '', entry = '', ...rest] = stdout.split('\n');
    expect({ exit, rest }).toEqual({ exit: 0, rest: [''] });
    expect(key).toMatch(/^fgk_[A-Za-z0-9_-]{43}$/);
    const config = loaded(`auth:\n  partners:\n    api_key:\n      keys:\n        ${entry}\n`);
    const { partners } = config.auth;
    const sha256 = createHash('sha256').update(key).digest('hex');
    expect(partners?.kind === 'api_key' && partners.keys).toMatchObject([{ name: 'NAME', sha256 }]);
    expect((await run({ kind: 'hash-key', prefix: '' })).stdout).toMatch(/^[A-Za-z0-9_-]{43}\n/);
  });

  test('refuses a prefix that a method does not take', async () => {
    const { exit, stdout, stderr } = await run({ kind: 'hash-key', prefix: 'a b' });
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr).toMatch(/^framegate: --prefix: /);
  });
});
