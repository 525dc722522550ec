// Owns what is said of a key that is not one of its block: that it is of another place or version, what it was meant
// as, or what there is. It must not validate.

import { blockAt, blocksWith, placeAt } from './key-walk.ts';
import { misplacedKey } from './later-keys.ts';
import { otherWord } from './other-words.ts';
import type { PathSegments } from './problems.ts';
import { nearest } from './suggest.ts';

/** Some names are everywhere. */
const PLACES_MAX = 3;
/** All there are at the top level, and in all blocks but the largest. */
const LISTED_MAX = 30;

/** `value`: what stands there. */
export function unknownKey(path: PathSegments, key: string, value: unknown): string {
  const { block, keys } = blockAt(path);
  return misplacedKey(block, key) ?? forgottenName(path) ?? `unknown key${hintOn({ block, keys, key, value })}`;
}

/** The name of a method of `auth` is easily left out: then its kind stands where names do. */
function forgottenName(path: PathSegments): string | null {
  const place = placeAt(path);
  if (place?.kind !== 'block' || place.one === undefined) return null;
  const name = String(path.at(-1));
  const isKind = Object.hasOwn(place.keys, name);
  return isKind ? `unknown key: a name stands above "${name}", as in { NAME: { ${name}: ... } }` : null;
}

interface Unknown {
  readonly block: string;
  readonly keys: readonly string[];
  readonly key: string;
  readonly value: unknown;
}

function hintOn({ block, keys, key, value }: Unknown): string {
  const meant = otherWord(block, key, value);
  if (meant !== null) return ` (did you mean ${meant}?)`;
  const within = placesWithin(block, key);
  const near = nearest(key, keys);
  const goes = `goes into ${within.map((place) => `"${place}"`).join(' or ')}`;
  // A name that is right elsewhere is no slip of the fingers: what is spelt like it means something else.
  const others = within.length > 0 ? [] : placesOutside(block, key);
  const guess = within.length + others.length === 0 || isSameWord(key, near) ? near : null;
  if (guess !== null) return ` (did you mean "${guess}"?${within.length === 0 ? '' : ` It also ${goes}`})`;
  if (within.length > 0) return ` (it ${goes})`;
  if (others.length > 0) return ` (it belongs ${others.map(placeText).join(' or ')})`;
  return listed(keys);
}

/** One and many: host and hosts. */
function isSameWord(key: string, other: string | null): boolean {
  return other !== null && (other === `${key}s` || key === `${other}s`);
}

/** Blocks in that block which have such a key, named from there: the nearest ones. */
function placesWithin(block: string, key: string): readonly string[] {
  const prefix = block === '' ? '' : `${block}.`;
  const places = blocksWith(key).filter((one) => one !== block && one.startsWith(prefix));
  const nearestDepth = Math.min(...places.map(depthOf));
  const near = places.filter((one) => depthOf(one) === nearestDepth);
  // Right below the block all can be told: what was left out is the name of one.
  const isTold = near.length <= PLACES_MAX || nearestDepth === depthOf(block) + 1;
  return isTold ? near.map((one) => one.slice(prefix.length).replace(/\[\]$/, '')) : [];
}

/** Those around it and elsewhere: who shares the most with it, or the first of all. */
function placesOutside(block: string, key: string): readonly string[] {
  const places = blocksWith(key).map((place) => ({ place, shared: sharedWith(block, place) }));
  const most = Math.max(...places.map(({ shared }) => shared));
  const near = places.filter(({ shared }) => shared === most).map(({ place }) => place);
  return near.sort((one, other) => depthOf(one) - depthOf(other)).slice(0, PLACES_MAX);
}

function depthOf(block: string): number {
  return block === '' ? 0 : block.split('.').filter((part) => part !== '*').length;
}

/** How many names they begin with are the same. */
function sharedWith(block: string, other: string): number {
  const parts = other.split('.');
  const different = block.split('.').findIndex((part, index) => part !== parts[index]);
  return different === -1 ? parts.length : different;
}

function placeText(place: string): string {
  if (place === '') return 'at the top level';
  return /[[*]/.test(place) ? `in "${place}"` : `in "${place}" at the top level`;
}

function listed(keys: readonly string[]): string {
  if (keys.length === 0) return '';
  const more = keys.length - LISTED_MAX;
  return `: there are ${keys.slice(0, LISTED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
