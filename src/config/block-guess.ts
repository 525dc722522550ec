// Owns what a block was meant as where something else stands: the one of its keys that takes this value. It must not
// know any key by name.

import { printable } from './addresses.ts';
import type { Keys } from './keys/row.ts';
import { isScalar, scalarSchema } from './kinds.ts';

/** Any text, or an on and off, says nothing about which key it is of. */
const TELLING: ReadonlySet<string> = new Set(['size', 'duration', 'count', 'number', 'choice']);

/** `{ level: debug }` for debug; null where no key takes `input`. The first that does is what the block is about. */
export function blockMeant(keys: Keys, input: unknown): string | null {
  if (!/^(string|number)$/.test(typeof input) || input === 'off') return null;
  const taking = Object.entries(keys).find(
    ([, row]) => isScalar(row) && TELLING.has(row.kind) && scalarSchema(row).safeParse(input).success,
  );
  return taking === undefined ? null : `{ ${taking[0]}: ${printable(`${input}`)} }`;
}

/** What would switch on all of a block that needs no key. */
export function isOn(input: unknown): boolean {
  return input === true || (typeof input === 'string' && /^(on|yes|true|enabled)$/i.test(input));
}
