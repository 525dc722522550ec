// Owns the commands that make entries for lists of `auth`: the hash of a password, and a key with its hash. What they
// print is the only place where either is seen.

import { createHash, randomBytes, type ScryptOptions, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { parseKeyPrefix } from '../config/auth-texts.ts';
import { passwordHashText } from '../protocol/password-hash.ts';
import { type Command, ExitCode } from './commands.ts';
import { readStream } from './read-file.ts';

/** What these commands may use of the process. */
interface HashTerminal {
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean };
  print(text: string): void;
  complain(text: string): void;
}

export type HashCommand = Extract<Command, { kind: 'hash-password' | 'hash-key' }>;

const COST = { ln: 15, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** What scrypt needs for these: 128 * N * r, and some more. */
const MEMORY_BYTES = 64 * 1024 * 1024;
/** The password has to fit into a field of a head, in Base64. */
const PASSWORD_BYTES_MAX = 1024;
const KEY_BYTES = 32;

const hashed: (password: Buffer, salt: Buffer, size: number, options: ScryptOptions) => Promise<Buffer> =
  promisify(scrypt);

export async function runHashCommand(command: HashCommand, terminal: HashTerminal): Promise<ExitCode> {
  const made = command.kind === 'hash-key' ? keyWithEntry(command.prefix) : await passwordHash(terminal);
  if ('problem' in made) {
    terminal.complain(`framegate: ${made.problem}\n`);
    return ExitCode.Usage;
  }
  terminal.print(made.text);
  return ExitCode.Stopped;
}

type Made = { readonly text: string } | { readonly problem: string };

function keyWithEntry(prefix: string): Made {
  const checked = parseKeyPrefix(prefix);
  if ('problem' in checked) return { problem: `--prefix: ${checked.problem}` };
  const key = `${prefix}${randomBytes(KEY_BYTES).toString('base64url')}`;
  const sha256 = createHash('sha256').update(key).digest('hex');
  return { text: `${key}\n- { name: NAME, sha256: ${sha256} }\n` };
}

async function passwordHash({ stdin }: HashTerminal): Promise<Made> {
  if (stdin.isTTY === true) {
    return {
      problem:
        'hash-password reads the password from a pipe, as a terminal would show it: ' +
        'read -rs P; printf %s "$P" | framegate hash-password',
    };
  }
  const password = withoutNewline(await readStream(stdin));
  const problem = passwordProblem(password);
  if (problem !== null) return { problem };
  const salt = randomBytes(SALT_BYTES);
  const { ln, r, p } = COST;
  const hash = await hashed(password, salt, HASH_BYTES, { N: 2 ** ln, r, p, maxmem: MEMORY_BYTES });
  return { text: `${passwordHashText({ ...COST, salt, hash })}\n` };
}

function withoutNewline(bytes: Buffer): Buffer {
  const end = bytes.at(-1) === 0x0a ? (bytes.at(-2) === 0x0d ? 2 : 1) : 0;
  return bytes.subarray(0, bytes.length - end);
}

function passwordProblem(password: Buffer): string | null {
  if (password.length === 0) return 'there is no password on stdin';
  if (password.length > PASSWORD_BYTES_MAX) return `a password has at most ${PASSWORD_BYTES_MAX} bytes`;
  // RFC 7617 2: no control characters, by which a second line is one too many as well.
  return password.some((byte) => byte < 0x20 || byte === 0x7f)
    ? 'a password is one line without control characters'
    : null;
}
