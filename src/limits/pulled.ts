// Values whose long lists are made while they are read, a little at a time: in this process between two turns of the
// event loop, or somewhere else, from where they still have to come. It reads and writes none.

/** In the place of an element: there is none yet, the search goes on. */
export const NOTHING_YET = Symbol('nothing yet');

/** What a list gives when it is asked for its next element. A promise: there is none before it settles. */
export type Pull<E> = E | typeof NOTHING_YET | Promise<unknown>;

/** A value whose lists may be made while they are read. */
export type Pulled<T> = T extends readonly (infer E)[]
  ? Iterable<Pull<Pulled<E>>>
  : T extends object
    ? { readonly [K in keyof T]: Pulled<T[K]> }
    : T;

/** The first so many; what there is none of yet does not count. */
export function* first<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left <= 0) return;
    if (item !== NOTHING_YET && !(item instanceof Promise)) left -= 1;
    yield item;
  }
}

/** Each made when it is asked for. */
export function* mapped<T, U>(items: Iterable<T>, make: (item: T) => U): Generator<U> {
  for (const item of items) yield make(item);
}
