// A log line as a person reads it: aligned columns for when, how grave, what, where and who, then what happened in the
// words of that event, then all other fields by name. What is no plain word is quoted as JSON. Pure.

import { countedText, durationText, groupedText, sizeText } from './quantities.ts';

type Fields = Readonly<Record<string, unknown>>;

const LEVEL_WIDTH = 5;
const EVENT_WIDTH = 20;
const ROUTE_WIDTH = 12;
const CLIENT_WIDTH = 15;

/** Nothing in it that would read as something else: no space, quote, backslash or equals sign. */
const PLAIN_WORD = /^[!#-<>-[\]-~]+$/;

/** Events that have a route and a client, of which either may be unknown. */
const AT_CLIENTS = /^(session|handshake|limit)\./;

interface PrettyLine {
  readonly time: Date;
  readonly level: string;
  readonly event: string;
  readonly fields: Fields;
}

/** One line without its line feed; whoever writes it escapes what is not ASCII. */
export function prettyLine({ time, level, event, fields }: PrettyLine): string {
  const shown = new Set<string>();
  const take = (name: string): unknown => {
    shown.add(name);
    return fields[name];
  };
  const columns = [clockText(time), level.toUpperCase().padEnd(LEVEL_WIDTH), event.padEnd(EVENT_WIDTH)];
  if (AT_CLIENTS.test(event) && (fields.route !== undefined || fields.client !== undefined)) {
    columns.push(word(take('route')).padEnd(ROUTE_WIDTH), word(take('client')).padEnd(CLIENT_WIDTH));
  }
  if (event === 'session.end') columns.push(...endOf(take));
  if (event === 'handshake.refused') columns.push(...refusalOf(take));
  for (const [name, value] of Object.entries(fields)) {
    if (!shown.has(name) && value !== undefined) columns.push(`${word(name)}=${word(value)}`);
  }
  return columns.join(' ').trimEnd();
}

/** `client_close 1000/1000  from client 3 / 1.2KiB  from backend 5 / 2KiB  4.2s`; the codes: to client and backend. */
function endOf(take: (name: string) => unknown): string[] {
  const limit = take('limit');
  const cause = `${word(take('reason'))}${limit === undefined ? '' : ` (${word(limit)})`}`;
  // Whose doing it was is the beginning of the reason, or the proxy.
  take('by');
  return [
    `${cause} ${word(take('close_code_client'))}/${word(take('close_code_backend'))} `,
    `from client ${trafficText(take('from_client'))} `,
    `from backend ${trafficText(take('from_backend'))} `,
    `${quantity(take('duration_ms'), durationText)} `,
  ];
}

function refusalOf(take: (name: string) => unknown): string[] {
  const cause = take('cause');
  const what = [take('status'), take('error')].filter((one) => one !== undefined).map(word);
  return [`${what.join(' ')}${cause === undefined ? '' : ` (${word(cause)})`} `];
}

/** `messages / bytes`, and how often that side was not read. */
function trafficText(traffic: unknown): string {
  if (typeof traffic !== 'object' || traffic === null) return word(traffic);
  const { messages, bytes, pauses }: Fields = { ...traffic };
  const paused = typeof pauses === 'number' && pauses > 0 ? `, ${countedText(pauses, 'pause')}` : '';
  return `${quantity(messages, groupedText)} / ${quantity(bytes, sizeText)}${paused}`;
}

function quantity(value: unknown, text: (value: number) => string): string {
  return typeof value === 'number' && Number.isFinite(value) ? text(value) : word(value);
}

function word(value: unknown): string {
  if (value === undefined || value === null) return '-';
  if (typeof value === 'string' && PLAIN_WORD.test(value)) return value;
  return JSON.stringify(value) ?? '-';
}

/** Local time; the date is that of the day on which somebody looks. */
function clockText(time: Date): string {
  const two = (part: number): string => String(part).padStart(2, '0');
  const millis = String(time.getMilliseconds()).padStart(3, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${millis}`;
}
