// Owns the pictures of sessions: many in a table, or all that is known of one. Pure.

import type { SessionPage, SessionSideView, SessionSort, SessionView } from '../admin/subject.ts';
import { countedText, durationText, sizeText } from '../observe/quantities.ts';
import { type Block, tableBlocks } from './layout.ts';
import { type Line, line, piece, wrapped } from './line.ts';
import { type Rates, rateText } from './rates.ts';
import { bytesText, trafficText } from './status-table.ts';
import { type Column, left, NONE, right } from './table.ts';

interface SessionsPicture {
  readonly page: SessionPage;
  /** Null: in the order in which they began. */
  readonly sort: SessionSort | null;
  /** By what went on in the last second, where that is measured; else by what there was in all. */
  readonly isByRate: boolean;
  /** By id; null: nobody measures. */
  readonly rates: Rates | null;
}

/** Which columns show what sessions are sorted by: these are never left out. */
const SORTED: Readonly<Record<SessionSort, { readonly inAll: readonly string[]; readonly byRate: readonly string[] }>> =
  {
    messages: { inAll: ['FROM CLIENT', 'FROM BACKEND'], byRate: ['MESSAGES/S'] },
    bytes: { inAll: ['FROM CLIENT', 'FROM BACKEND'], byRate: ['BYTES/S'] },
    buffered: { inAll: ['BUFFERED'], byRate: ['BUFFERED'] },
    rtt: { inAll: ['RTT'], byRate: ['RTT'] },
    silent: { inAll: ['SILENT'], byRate: ['SILENT'] },
    age: { inAll: ['AGE'], byRate: ['AGE'] },
  };

const columns: readonly Column<SessionView>[] = [
  left('ID', ({ id }) => id),
  left('STATE', ({ state }) => state, { rank: 3, tone: ({ state }) => (state === 'open' ? 'good' : 'warn') }),
  left('ROUTE', ({ route }) => route, { gives: 8, rank: 5 }),
  left('TARGET', ({ target }) => target, { gives: 8, rank: 9 }),
  left('CLIENT', ({ client }) => client, { gives: 15, rank: 4 }),
  left('IDENTITY', identityText, { gives: 12, rank: 11 }),
  right('EXPIRES', ({ expires_in_ms }) => (expires_in_ms === null ? NONE : durationText(expires_in_ms)), { rank: 13 }),
  right('AGE', ({ age_ms }) => durationText(age_ms), { rank: 7 }),
  right('SILENT', ({ from_client, from_backend }) => silentText(from_client, from_backend), { rank: 6 }),
  right('RTT', ({ ping_rtt_ms }) => (ping_rtt_ms === null ? NONE : durationText(ping_rtt_ms)), { rank: 10 }),
];

const trafficColumns: readonly Column<SessionView>[] = [
  right('FROM CLIENT', ({ from_client }) => trafficText(from_client), { rank: 8 }),
  right('FROM BACKEND', ({ from_backend }) => trafficText(from_backend), { rank: 8 }),
  right('BUFFERED', ({ from_client, from_backend }) => sizeText(from_client.buffered + from_backend.buffered), {
    rank: 2,
  }),
  left('PATH', ({ path }) => path, { gives: 12, rank: 12 }),
];

function columnsOf({ sort, isByRate, rates }: SessionsPicture): readonly Column<SessionView>[] {
  const measured =
    rates === null
      ? []
      : [
          right<SessionView>('MESSAGES/S', ({ id }) => rateText(rates.get(id)?.messages), { rank: 1 }),
          right<SessionView>('BYTES/S', ({ id }) => bytesText(rates.get(id)?.bytes), { rank: 2 }),
        ];
  const kept = sort === null ? [] : SORTED[sort][isByRate ? 'byRate' : 'inAll'];
  return [...columns, ...measured, ...trafficColumns].map((column) => {
    if (!kept.includes(column.head)) return column;
    const { rank: _, ...rest } = column;
    return rest;
  });
}

export function sessionBlocks(picture: SessionsPicture, width: number): Block[] {
  const { sessions, next, more } = picture.page;
  if (sessions.length === 0) return [{ head: [line('no sessions')], rows: [] }];
  const beyond = { count: more, hint: next === null ? '' : `: --after ${next}` };
  return tableBlocks(columnsOf(picture), sessions, width).map((block) => ({ ...block, beyond }));
}

function identityText({ auth, identity }: SessionView): string {
  return auth === null ? NONE : `${auth}/${identity ?? NONE}`;
}

function silentText(one: SessionSideView, other: SessionSideView): string {
  return durationText(Math.min(one.silent_ms, other.silent_ms));
}

const NAME_WIDTH = 14;

export function sessionLines(view: SessionView, width: number): Line[] {
  const ending = view.reason === null ? '' : ` (${view.reason})`;
  const rows: readonly (readonly [name: string, text: string | null])[] = [
    ['session', view.id],
    ['state', `${view.state}${ending}`],
    ['route', view.route],
    ['path', view.path],
    ['client', view.peer === null ? view.client : `${view.client} through ${view.peer}`],
    ['listener', view.listener],
    ['upstream', `${view.upstream}, target ${view.target}`],
    ['subprotocol', view.subprotocol],
    ['request id', view.request_id],
    ['auth', whoText(view)],
    ['expires', view.expires_in_ms === null ? null : `in ${durationText(view.expires_in_ms)}, ${view.expires_at}`],
    ['age', durationText(view.age_ms)],
    ['ping', view.ping_rtt_ms === null ? null : `${durationText(view.ping_rtt_ms)} there and back`],
    ['from client', sideText(view.from_client)],
    ['from backend', sideText(view.from_backend)],
  ];
  return rows.flatMap(([name, text]) => (text === null ? [] : factLines(name, text, width)));
}

/** A name, and behind it what there is to say, on as many lines as it takes. */
function factLines(name: string, text: string, width: number): Line[] {
  const [first = '', ...others] = wrapped(`${name.padEnd(NAME_WIDTH)}${text}`, width, NAME_WIDTH);
  const head = line(piece(first.slice(0, NAME_WIDTH), 'strong'), first.slice(NAME_WIDTH));
  return [head, ...others.map((other) => line(other))];
}

function whoText({ auth, identity }: SessionView): string | null {
  return auth === null || identity === null ? auth : `${auth}, identity ${identity}`;
}

function sideText(side: SessionSideView): string {
  const paused = side.paused ? ', not read now: the other side does not take it' : '';
  return (
    `${countedText(side.messages, 'message')}, ${sizeText(side.bytes)}, largest ${sizeText(side.largest_message)}; ` +
    `silent ${durationText(side.silent_ms)}; ${sizeText(side.buffered)} waiting, ` +
    `${countedText(side.pauses, 'pause')}${paused}`
  );
}
