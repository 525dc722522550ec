// Changes to bytes that were right, as attackers, broken peers and bad lines make them.

import type { Random } from '../support/random.ts';

/** Bytes that mean something to parsers, or are just outside of what they take. */
const INTERESTING = [0, 1, 8, 9, 10, 11, 12, 13, 27, 32, 34, 35, 37, 44, 46, 47, 48, 58, 59, 61, 63, 92, 123, 126, 127];
const HIGH = [0x80, 0x85, 0x8d, 0x8a, 0xa0, 0xc0, 0xc3, 0xed, 0xf4, 0xff];
const LONG_MAX = 20_000;

/** One to four changes. `tokens` are what the grammar at hand is made of, one character per byte. */
export function mutate(random: Random, bytes: Buffer, tokens: readonly string[]): Buffer {
  let mutated = bytes;
  for (let left = random.between(1, 4); left > 0; left -= 1) mutated = mutateOnce(random, mutated, tokens);
  return mutated;
}

function mutateOnce(random: Random, bytes: Buffer, tokens: readonly string[]): Buffer {
  const at = random.between(0, bytes.length);
  const end = Math.min(bytes.length, at + random.between(1, random.chance(0.2) ? 200 : 6));
  const put = (from: number, to: number, middle: Buffer) =>
    Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)]);
  const token = () => Buffer.from(random.pick(tokens), 'latin1');
  switch (random.between(0, 14)) {
    case 0:
      return put(at, at + 1, Buffer.of((bytes[at] ?? 0) ^ (1 << random.between(0, 7))));
    case 1:
      return put(at, at + 1, Buffer.of(random.pick(random.chance(0.7) ? INTERESTING : HIGH)));
    case 2:
      return put(at, at, Buffer.of(random.pick(random.chance(0.7) ? INTERESTING : HIGH)));
    case 3:
      return put(at, end, Buffer.alloc(0));
    case 4:
      return put(at, at, bytes.subarray(at, end));
    case 5:
      return put(at, at, token());
    case 6:
      return put(at, end, token());
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
      return mutateLines(random, bytes, token().toString('latin1'));
    case 12:
      return put(at, at, Buffer.alloc(longLength(random), random.chance(0.5) ? 0x61 : random.pick(INTERESTING)));
    case 13: {
      const source = random.between(0, bytes.length);
      return put(at, end, bytes.subarray(source, source + random.between(0, 60)));
    }
    default:
      return random.chance(0.3) ? bytes.subarray(0, at) : put(at, at, random.bytes(random.between(1, 4)));
  }
}

function longLength(random: Random): number {
  return random.chance(0.3) ? random.between(1, LONG_MAX) : random.between(1, 300);
}

/** Twice the same line, one less or more, two in another order, one with another end, or a token where it tells. */
function mutateLines(random: Random, bytes: Buffer, token: string): Buffer {
  const text = bytes.toString('latin1');
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = text.split(end);
  const from = random.between(0, lines.length - 1);
  const to = random.between(0, lines.length - 1);
  const line = lines[from] ?? '';
  switch (random.between(0, 9)) {
    case 0:
      lines.splice(to, 0, line);
      break;
    case 1:
      lines.splice(from, 1);
      break;
    case 2:
      [lines[from], lines[to]] = [lines[to] ?? '', line];
      break;
    case 3:
      lines[from] = `${line}${random.pick(['\n', '\r', ' \r\n ', '\0', '\r\r'])}`;
      break;
    case 4:
      lines[from] = ` ${line}`;
      break;
    case 5:
    case 6:
      lines.splice(to, 0, token.replace(/\r?\n$/, ''));
      break;
    case 7:
      // Behind its name, a value of another line or none.
      lines[from] = line.replace(/:.*/s, `:${token.replace(/^[^:]*:|\r?\n$/g, '')}`);
      break;
    default: {
      const first = lines[0] ?? '';
      const at = random.between(0, first.length);
      lines[0] = `${first.slice(0, at)}${token.replace(/\r?\n$/, '')}${first.slice(at)}`;
    }
  }
  return Buffer.from(lines.join(end), 'latin1');
}
