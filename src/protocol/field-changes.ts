// What becomes of the fields of a message besides what framegate does itself: some are taken out, then some are set.

import type { HeadField } from './http-head.ts';

export interface FieldChanges {
  /** Sets of names in lower case; a field is taken out when one of them has it. What is set is among them. */
  readonly removed: readonly ReadonlySet<string>[];
  readonly set: readonly HeadField[];
}

export function isRemoved({ removed }: FieldChanges, lower: string): boolean {
  return removed.some((names) => names.has(lower));
}

/** The fields of a backend's answer as they go on. */
export function changedFields(fields: readonly HeadField[], changes: FieldChanges): readonly HeadField[] {
  return [...fields.filter(({ lower }) => !isRemoved(changes, lower)), ...changes.set];
}
