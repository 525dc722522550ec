// Owns what a route may say otherwise: the keys of another block that are not global, each of which may be left out;
// and whole values for which `defaults` stands in.

import type { Keys, Row } from './row.ts';

type Overrides<T> = {
  readonly [K in keyof T as T[K] extends { readonly scope: 'global' } ? never : K]: T[K] extends Block<infer B>
    ? Omit<T[K], 'keys'> & { readonly keys: Overrides<B> }
    : Omit<T[K], 'default'> & { readonly unset: string };
};

type Block<B> = { readonly kind: 'block'; readonly keys: B };

/** What holds where a route says nothing. */
const UNSET = 'that of all routes';

type Inherited<T> = { readonly [K in keyof T]: Omit<T[K], 'default'> & { readonly unset: string } };

/** Of a route that says nothing of one of these keys, `defaults` decides: about the whole value, also of a block. */
export function inherited<T extends Keys>(keys: T): Inherited<T> {
  // Row by row what the type says.
  return Object.fromEntries(Object.entries(keys).map(([key, row]) => [key, inheritedRow(row)])) as Inherited<T>;
}

function inheritedRow({ default: usual, ...rest }: Row): Row {
  const text = typeof usual === 'string' ? usual : JSON.stringify(usual);
  return { ...rest, unset: `${text}, or what defaults says`, example: rest.example ?? text };
}

export function overrides<T extends Keys>(keys: T): Overrides<T> {
  // Row by row what the type says.
  return overriding(keys) as Overrides<T>;
}

function overriding(keys: Keys): Keys {
  const own = Object.entries(keys).filter(([, row]) => row.scope !== 'global');
  return Object.fromEntries(own.map(([key, row]) => [key, overridingRow(row)]));
}

function overridingRow(row: Row): Row {
  if (row.kind === 'block') {
    const says = `Overrides ${row.says.charAt(0).toLowerCase()}${row.says.slice(1)}`;
    return { ...row, says, keys: overriding(row.keys) };
  }
  const { default: _, ...rest } = row;
  return { ...rest, unset: row.unset ?? UNSET };
}
