// The orders in which sessions are listed, and the first of them in one: by numbers that stay what they are between two
// pages where that can be, so that a page goes on where the one before it ended. It reads sessions and changes none.

import type { SessionSort } from '../admin/subject.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import type { Session } from '../session/session.ts';

/** Where a session stands in an order: the lowest is first, of equal ones the one that began first. */
export interface Place {
  /** A whole number. */
  readonly value: number;
  /** What stands for its id: the count in it. */
  readonly began: number;
  /** Sessions of several processes have counts of their own. */
  readonly id: string;
}

type Value = (session: Session, record: SessionRecord) => number;

/** What is largest comes first, so these are negative; times are points in time, not how long ago that was. */
const VALUES: Readonly<Record<SessionSort, Value>> = {
  messages: ({ client, backend }) => -(client.relay.scanner.messages + backend.relay.scanner.messages),
  bytes: ({ client, backend }) => -(client.relay.scanner.dataBytes + backend.relay.scanner.dataBytes),
  buffered: ({ client, backend }) => -(client.transport.held + backend.transport.held),
  // Those without a ping are last.
  rtt: ({ client }) => (client.liveness.rttMs === null ? 1 : -Math.round(client.liveness.rttMs * 1000)),
  silent: ({ client, backend }) => Math.round(Math.max(client.relay.lastByteAt, backend.relay.lastByteAt)),
  age: (_, { startedAt }) => Math.round(startedAt),
};

/** Ids count up behind the instance's part, in base 36. What is no id comes before all. */
function idOrder(id: string): number {
  const order = /^[0-9a-f]+-([0-9a-z]{1,10})$/.exec(id)?.[1];
  return order === undefined ? 0 : Number.parseInt(order, 36);
}

/** By points in time. */
const TIMES: ReadonlySet<SessionSort> = new Set<SessionSort>(['silent', 'age']);

/** `origin`: of the clock, in one that several processes share. */
export function placeOf(record: SessionRecord, sort: SessionSort | undefined, origin: number): Place {
  const value = sort === undefined ? 0 : VALUES[sort](record.session, record);
  const id = record.facts.session;
  return { value: sort !== undefined && TIMES.has(sort) ? Math.round(value + origin) : value, began: idOrder(id), id };
}

/** The place that `after` stands for; what is no place comes before all. */
export function placeBefore(after: string | undefined, sort: SessionSort | undefined): Place {
  if (after === undefined) return { value: Number.NEGATIVE_INFINITY, began: 0, id: '' };
  if (sort === undefined) return { value: 0, began: idOrder(after), id: after };
  const [, value, id = ''] = /^(-?[0-9]{1,16})\/(.*)$/.exec(after) ?? [];
  return { value: value === undefined ? Number.NEGATIVE_INFINITY : Number(value), began: idOrder(id), id };
}

export function isBehind(one: Place, other: Place): boolean {
  if (one.value !== other.value) return one.value > other.value;
  return one.began === other.began ? one.id > other.id : one.began > other.began;
}

/** Of all that are offered, in any order, the first `max`. */
export class FirstPlaces<T> {
  /** In their order. */
  readonly items: T[] = [];
  /** How many were offered and have no place among them. */
  more = 0;
  private readonly max: number;
  private readonly sort: SessionSort | undefined;
  readonly places: Place[] = [];

  constructor(max: number, sort: SessionSort | undefined) {
    this.max = max;
    this.sort = sort;
  }

  /** What a page behind these goes on from. */
  get after(): string | null {
    return this.more === 0 ? null : this.place;
  }

  /** The last one's; null without any. */
  get place(): string | null {
    const last = this.places.at(-1);
    if (last === undefined) return null;
    return this.sort === undefined ? last.id : `${last.value}/${last.id}`;
  }

  offer(item: T, place: Place): void {
    const { items, places, max } = this;
    const at = this.indexOf(place);
    if (at < max) {
      items.splice(at, 0, item);
      places.splice(at, 0, place);
    }
    if (at < max && items.length <= max) return;
    this.more += 1;
    items.length = Math.min(items.length, max);
    places.length = items.length;
  }

  /** Behind how many of them it comes. */
  private indexOf(place: Place): number {
    let low = 0;
    let high = this.places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.places[middle];
      if (other !== undefined && isBehind(place, other)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
