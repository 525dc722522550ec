// JSON in small pieces, so that a long list need not be made at once: what is iterable is written as a list, element by
// element, each asked for when it is its turn. It knows no view.

import { NOTHING_YET, type Pull, type Pulled } from '../limits/pulled.ts';

type Piece = Pull<string>;

/** A list up to this length is written in one piece, when its elements are. */
const SHORT_LIST = 32;

/**
 * The text of `JSON.stringify`, whose pieces are each about as long as one element of a long list. Keys are read in
 * their order, one after the other: a getter sees what the lists before it came to. A promise is no piece: what comes
 * next is there when it has settled.
 */
export function* jsonPieces(value: unknown): Generator<Piece> {
  if (!isLong(value)) yield JSON.stringify(value) ?? 'null';
  else if (isList(value)) yield* listPieces(value);
  else yield* objectPieces(value);
}

/** What its lists come to when they are read: the value as JSON has it. Yields what has to be waited for. */
export function* madePlain<T>(value: Pulled<T>): Generator<unknown, T> {
  let text = '';
  for (const piece of jsonPieces(value)) {
    yield piece;
    if (typeof piece === 'string') text += piece;
  }
  return JSON.parse(text) as T; // the text of one
}

function* listPieces(list: Iterable<unknown>): Generator<Piece> {
  let lead = '[';
  for (const element of list) {
    if (element === NOTHING_YET || element instanceof Promise) {
      yield element;
      continue;
    }
    yield lead;
    yield* jsonPieces(element);
    lead = ',';
  }
  yield lead === '[' ? '[]' : ']';
}

function* objectPieces(value: object): Generator<Piece> {
  let lead = '{';
  for (const key of Object.keys(value)) {
    const item: unknown = value[key as keyof typeof value]; // one of its own keys
    if (item === undefined) continue;
    yield `${lead}${JSON.stringify(key)}:`;
    yield* jsonPieces(item);
    lead = ',';
  }
  yield lead === '{' ? '{}' : '}';
}

/** What is made while it is written, or is too much for one piece, is in it somewhere. */
function isLong(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.length > SHORT_LIST || value.some(isLong);
  if (isList(value)) return true;
  return Object.values(Object.getOwnPropertyDescriptors(value)).some(
    ({ get, value: own }) => get !== undefined || isLong(own),
  );
}

function isList(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}
