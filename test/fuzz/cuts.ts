// How a case is cut into pieces, and how long it may take. Both follow from the input alone, so that a kept input is
// judged as it was when it was found.

import { Random } from '../support/random.ts';

/** Pieces that one cut of an input may have: a long input is cut into longer ones. */
const PIECES_MAX = 2_048;
const EVERY_CUT_MAX = 160;
/** CPU time that no single input may take. */
export const CPU_MILLIS_MAX = 50;
/** The garbage collector and the compiler work in the same process: the best of a few runs counts. */
const CPU_ATTEMPTS = 4;

/** FNV-1a. */
export function randomOf(input: Buffer): Random {
  let hash = 0x811c9dc5;
  for (const byte of input) hash = Math.imul(hash ^ byte, 0x01000193);
  return new Random(hash);
}

/** Whole, byte by byte, and at some random places; one short input in eight at each of its places. */
export function cutsOf(bytes: Buffer): Buffer[][] {
  const random = randomOf(bytes);
  const shortest = Math.ceil(bytes.length / PIECES_MAX);
  const all = [[bytes]];
  for (const longest of [1, 3, 16, 128]) all.push(pieces(bytes, random, longest * shortest));
  const twice = (at: number) => all.push([bytes.subarray(0, at), bytes.subarray(at)]);
  if (bytes.length < EVERY_CUT_MAX && random.chance(1 / 8)) for (let at = 1; at < bytes.length; at += 1) twice(at);
  else for (let i = 0; i < 4; i += 1) twice(random.between(0, bytes.length));
  return all;
}

function pieces(bytes: Buffer, random: Random, longest: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = random.between(1, longest);
    found.push(bytes.subarray(at, at + size));
    at += size;
  }
  return found;
}

/** What `run` gives; throws when it takes more than `CPU_MILLIS_MAX` every time. */
export function inBoundedTime<T>(run: () => T, millisMax: number = CPU_MILLIS_MAX): T {
  for (let attempt = 1; ; attempt += 1) {
    const before = process.cpuUsage();
    const result = run();
    const { user, system } = process.cpuUsage(before);
    if (user + system <= millisMax * 1000) return result;
    if (attempt === CPU_ATTEMPTS) throw new Error(`took ${(user + system) / 1000} ms of CPU time`);
  }
}
