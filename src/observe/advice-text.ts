// Advice as text for people: per route a table of what traffic looks like, then a sentence per limit and timeout.
// It takes the facts as they come over the wire and adds none.

import { unreachable } from '../unreachable.ts';
import type { Advice, DirectionAdvice, RouteAdvice } from './advice.ts';
import type { Unit } from './advised-values.ts';
import type { CapAdvice } from './cap-advice.ts';
import { CLIENTS_MAX } from './client-count.ts';
import { expiryLines } from './expiry-advice.ts';
import type { Summary } from './histogram.ts';
import type { HttpAdvice } from './http-advice.ts';
import type { Candidate, LimitAdvice, Verdict } from './limit-advice.ts';
import { countedText, countText, durationText, exactSizeText, groupedText, shareText, sizeText } from './quantities.ts';
import { relaxedLines } from './relax-advice.ts';

const LABEL_WIDTH = 22;
const NUMBER_WIDTH = 9;
const MARK_WIDTH = 8;

const marks: Readonly<Record<Verdict, string>> = {
  tight: 'tight',
  loose: 'loose',
  fits: 'fits',
  too_few: '-',
  off: 'off',
};

/** Plain text with a line feed at its end. */
export function renderAdvice(advice: Advice): string {
  const lines = [`Traffic of ${durationText(advice.watched_ms)}, since the start of the process.`];
  if (advice.caps.length > 0) lines.push('', 'all routes together', ...advice.caps.map(capLine));
  if (advice.routes.length === 0) lines.push('', 'No route to give advice on.');
  for (const route of advice.routes) lines.push('', ...routeLines(route));
  const hints = [
    'tight: it refuses now, or nearly.  loose: 8 times the largest seen, or more.  -: too little seen to tell.',
    'Quantiles are at most an eighth too high, largest values and powers of two are exact.',
  ];
  return `${[...lines, '', ...hints].join('\n')}\n`;
}

function routeLines(route: RouteAdvice): string[] {
  const { session_duration_ms: duration } = route;
  const lines = [
    `route ${route.route}`,
    `  ${countedText(route.sessions_total, 'session')} from ${clientsText(route.clients)}, ` +
      `${groupedText(route.sessions_open)} of them open${
        duration.count === 0
          ? ''
          : `; half of those that ended lasted ${durationText(duration.p50)} or less, ` +
            `the longest ${durationText(duration.max)}`
      }`,
  ];
  const relaxed = [...expiryLines(route.credentials), ...relaxedLines(route.relaxed)];
  const plain = route.http === null ? [] : httpLines(route.http);
  if (route.sessions_total === 0) return [...lines, '  no sessions seen yet', ...plain, ...relaxed];
  for (const [name, direction] of [
    ['from_client', route.from_client],
    ['from_backend', route.from_backend],
  ] as const) {
    lines.push('', ...directionTable(name, direction), '', ...direction.limits.flatMap(limitLines));
  }
  return [...lines, '', '  timeouts', ...route.timeouts.flatMap(limitLines), ...plain, ...relaxed];
}

function httpLines({ requests, body_size, response_ms, limits }: HttpAdvice): string[] {
  const seen = `${countedText(requests, 'request')} without upgrade${requests === 0 ? ' seen yet' : ''}`;
  if (requests === 0) return ['', `  ${seen}`];
  return [
    '',
    `  ${seen}`,
    '',
    tableHead('http'),
    tableRow('size of a body', body_size, sizeText),
    tableRow('time to the answer', response_ms, durationText),
    '',
    ...limits.flatMap(limitLines),
  ];
}

function clientsText(count: number): string {
  if (count >= CLIENTS_MAX) return `${CLIENTS_MAX} clients or more`;
  return count === 1 ? '1 client' : `${count} clients`;
}

function capLine({ key, unit, value, peak, refused, verdict, suggested, provisional }: CapAdvice): string {
  const name = key.slice(key.lastIndexOf('.') + 1);
  const present = `${name} ${valueText(unit, value ?? Number.POSITIVE_INFINITY)}`;
  const uncounted = value === null ? 'not counted while it is off' : 'how near it was come to is not counted';
  const facts = [peak === null ? uncounted : `at most ${valueText(unit, peak)} at a time`];
  if (suggested !== null) facts.push(suggestionText(unit, suggested, provisional));
  if (refused > 0) facts.push(`refused ${groupedText(refused)} so far`);
  return `    ${marks[verdict].padEnd(MARK_WIDTH)}${present}: ${facts.join('; ')}`;
}

function suggestionText(unit: Unit, value: number, provisional: boolean): string {
  return `try ${valueText(unit, value)}${provisional ? ' (of less than a day)' : ''}`;
}

function directionTable(name: string, direction: DirectionAdvice): string[] {
  return [
    tableHead(name),
    tableRow('message size', direction.message_size, sizeText),
    tableRow('messages a second', direction.messages_per_second, countText),
    tableRow('bytes a second', direction.bytes_per_second, sizeText),
    tableRow('frames of a message', direction.fragments, countText),
    tableRow('silence', direction.silence_ms, durationText),
  ];
}

function tableHead(name: string): string {
  const heads = ['seen', 'p50', 'p99', 'p99.9', 'max'].map((head) => head.padStart(NUMBER_WIDTH)).join(' ');
  return `  ${name.padEnd(LABEL_WIDTH)}${heads}`;
}

function tableRow(label: string, { count, p50, p99, p999, max }: Summary, text: (value: number) => string): string {
  const values = count === 0 ? ['-', '-', '-', '-'] : [p50, p99, p999, max].map(text);
  const cells = [compactCount(count), ...values].map((cell) => cell.padStart(NUMBER_WIDTH)).join(' ');
  return `    ${label.padEnd(LABEL_WIDTH - 2)}${cells}`;
}

/** Fits a column: 1204311 is 1.2M. */
function compactCount(count: number): string {
  if (count < 100_000) return String(count);
  if (count < 999_500_000)
    return count < 999_500 ? `${Math.round(count / 1000)}k` : `${Number((count / 1e6).toPrecision(3))}M`;
  return `${Number((count / 1e9).toPrecision(3))}G`;
}

function limitLines(limit: LimitAdvice): string[] {
  const name = limit.key.slice(limit.key.lastIndexOf('.') + 1);
  const mark = `    ${marks[limit.verdict].padEnd(MARK_WIDTH)}`;
  const present = `${name} ${valueText(limit.unit, limit.value ?? Number.POSITIVE_INFINITY)}`;
  const hits = limit.hits === 0 ? '' : `; refused ${groupedText(limit.hits)} so far${largestText(limit)}`;
  if (limit.seen === 0) return [`${mark}${present}: no ${limit.of} seen${hits}`];
  const facts = [`largest seen ${valueText(limit.unit, limit.largest)}`];
  const ping = limit.key.endsWith('_ping_interval');
  if (ping && limit.value !== null) facts.push(`${limit.refused} of ${limit.seen} ${limit.of} were longer`);
  else if (!ping) facts.push(...candidateFacts(limit));
  const better = betterValue(limit);
  if (better !== null) facts.push(suggestionText(limit.unit, better, limit.provisional));
  return [`${mark}${present}: ${facts.join('; ')}${hits}`];
}

function largestText({ largest_refused: largest, unit }: LimitAdvice): string {
  return largest === null
    ? ''
    : `, the largest ${unit === 'bytes' ? exactSizeText(largest) : valueText(unit, largest)}`;
}

/**
 * "32KiB would have refused 0 of 1204311, 16KiB 12 (0.001 %)": the smallest that refuses nothing, the next below. What
 * was refused counts with what passed, where its size is known.
 */
function candidateFacts(limit: LimitAdvice): string[] {
  const { candidates, of, key, unit, hits, largest_refused: largestRefused } = limit;
  const seen = limit.seen + (largestRefused === null ? 0 : hits);
  const passing = candidates.find(({ refused }) => refused === 0);
  const refusing = candidates.findLast(({ refused }) => refused > 0 && refused < seen);
  // Rates have a burst above them, so a second over the rate may have passed. Of what was refused the largest is known.
  const isBound = key.endsWith('_per_second') || (largestRefused !== null && hits > 1);
  const most = isBound ? 'at most ' : '';
  const next = refusing === undefined ? '' : refusalText(refusing, { unit, seen }, most);
  if (passing === undefined) return next === '' ? [] : [next];
  const text = `${valueText(unit, passing.value)} would have refused 0 of ${seen} ${of}`;
  return [next === '' ? text : `${text}, ${next}`];
}

function refusalText(
  { value, refused }: Candidate,
  { unit, seen }: Pick<LimitAdvice, 'unit' | 'seen'>,
  most: string,
): string {
  return `${valueText(unit, value)} ${most}${refused} (${shareText(refused, seen)})`;
}

/** The suggestion, where it would change something for the better. */
function betterValue({ verdict, value, suggested }: LimitAdvice): number | null {
  if (suggested === null || value === null) return null;
  if (verdict === 'tight') return suggested > value ? suggested : null;
  return verdict === 'loose' && suggested < value ? suggested : null;
}

function valueText(unit: Unit, value: number): string {
  switch (unit) {
    case 'bytes':
      return sizeText(value);
    case 'ms':
      return durationText(value);
    case 'count':
      return countText(value);
    default:
      return unreachable(unit);
  }
}
