// The orders in which sessions are listed, and the first of them in one: by numbers that stay what they are between two
// pages where that can be, so that a page goes on where the one before it ended. It reads sessions and changes none.

import type { SessionSort } from '../admin/subject.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import type { Session } from '../session/session.ts';

/** Where a session stands in an order: the lowest is first, of equal ones the one that began first. */
interface Place {
  /** A whole number. */
  readonly value: number;
  /** What stands for its id. */
  readonly began: number;
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

export function placeOf(record: SessionRecord, sort: SessionSort | undefined): Place {
  const value = sort === undefined ? 0 : VALUES[sort](record.session, record);
  return { value, began: idOrder(record.facts.session) };
}

/** The place that `after` stands for; what is no place comes before all. */
export function placeBefore(after: string | undefined, sort: SessionSort | undefined): Place {
  if (after === undefined) return { value: Number.NEGATIVE_INFINITY, began: 0 };
  if (sort === undefined) return { value: 0, began: idOrder(after) };
  const [, value, id = ''] = /^(-?[0-9]{1,16})\/(.*)$/.exec(after) ?? [];
  return { value: value === undefined ? Number.NEGATIVE_INFINITY : Number(value), began: idOrder(id) };
}

export function isBehind(one: Place, other: Place): boolean {
  return one.value === other.value ? one.began > other.began : one.value > other.value;
}

/** Of all that are offered, in any order, the first `max`. */
export class FirstPlaces {
  /** In their order. */
  readonly records: SessionRecord[] = [];
  /** How many were offered and have no place among them. */
  more = 0;
  private readonly max: number;
  private readonly sort: SessionSort | undefined;
  private readonly places: Place[] = [];

  constructor(max: number, sort: SessionSort | undefined) {
    this.max = max;
    this.sort = sort;
  }

  /** What a page behind these goes on from. */
  get after(): string | null {
    const id = this.records.at(-1)?.facts.session;
    if (this.more === 0 || id === undefined) return null;
    return this.sort === undefined ? id : `${this.places.at(-1)?.value ?? 0}/${id}`;
  }

  offer(record: SessionRecord, place: Place): void {
    const { records, places, max } = this;
    const at = this.indexOf(place);
    if (at < max) {
      records.splice(at, 0, record);
      places.splice(at, 0, place);
    }
    if (at < max && records.length <= max) return;
    this.more += 1;
    records.length = Math.min(records.length, max);
    places.length = records.length;
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
