// Every case of the suite, in the order of its groups.

import { closingCases } from './cases/closing.ts';
import { compressionCases } from './cases/compression.ts';
import { controlCases } from './cases/control.ts';
import { fragmentationCases } from './cases/fragmentation.ts';
import { framingCases } from './cases/framing.ts';
import { headerCases, reservedBitCases, reservedOpcodeCases } from './cases/reserved.ts';
import { utf8Cases } from './cases/utf8.ts';
import { volumeCases } from './cases/volume.ts';
import type { ConformanceCase } from './conformance-case.ts';

export const CASES: readonly ConformanceCase[] = [
  ...framingCases,
  ...controlCases,
  ...reservedBitCases,
  ...reservedOpcodeCases,
  ...fragmentationCases,
  ...utf8Cases,
  ...closingCases,
  ...volumeCases,
  ...headerCases,
  ...compressionCases,
];

export const GROUPS: Readonly<Record<string, string>> = {
  '1': 'framing: sizes and chops',
  '2': 'pings and pongs',
  '3': 'reserved bits',
  '4': 'opcodes',
  '5': 'fragmentation',
  '6': 'UTF-8',
  '7': 'close handshake',
  '9': 'large messages',
  '10': 'automatic fragmentation',
  '11': 'masks and length forms',
  '12': 'permessage-deflate, by size',
  '13': 'permessage-deflate, by parameters',
};

/** The group of a case: what stands before the first dot of its id. */
export function groupOf(id: string): string {
  return id.slice(0, id.indexOf('.'));
}
