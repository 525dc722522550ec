// Owns the picture of why a session ended: all of it in one screen, as far as that goes. Pure, and it lets nothing
// through that a terminal would obey.

import type { FrameView, NearLimit, SessionSideView, WhyView } from '../admin/subject.ts';
import { countedText, durationText, exactSizeText, groupedText, sizeText } from '../observe/quantities.ts';
import { cutText, harmless, wrapped } from './line.ts';

/** Where there is no terminal. */
export const WHY_WIDTH = 80;
const NAME_WIDTH = 9;
const NEAR_MAX = 3;
/** Frames that are shown in any case, before anything is left out for a low screen. */
const FRAMES_MIN = 2;

/** Lines of at most `width`, and fewer than `rows` of them unless a screen is very low. */
export function renderWhy(view: WhyView, width: number, rows: number): string {
  const head = [cutText(headline(view), width), '', ...paragraph(view.sentence, width, 5), ''];
  const facts = factLines(view, width);
  const change = view.change.flatMap((text, index) => labelled(index === 0 ? 'change' : '', text, width, 3));
  const left = rows - 1 - head.length - facts.length - change.length;
  const near = view.near.slice(0, Math.max(1, Math.min(NEAR_MAX, left - FRAMES_MIN)));
  const nearLines = near.map((one, index) => fitted(index === 0 ? 'near' : '', nearText(one), width));
  const recorded = recordLines(view.record, Math.max(0, left - nearLines.length), view.times.lived_ms, width);
  return `${[...head, ...facts, ...nearLines, ...recorded, ...change].join('\n')}\n`;
}

function headline({ session, state, cause, by }: WhyView): string {
  const why = cause === null ? '' : `  ${cause}, by the ${by}`;
  return harmless(`${session}  ${state.toUpperCase()}${why}`);
}

function factLines({ facts, times, ...view }: WhyView, width: number): string[] {
  const whose = facts.auth === null ? '' : `, ${facts.auth}/${facts.identity ?? '-'}`;
  const through = facts.peer === null ? '' : ` through ${facts.peer}`;
  const offered = facts.subprotocol === null ? '' : `, subprotocol ${facts.subprotocol}`;
  const texts: readonly (readonly [name: string, text: string | null])[] = [
    ['told', toldText(view)],
    ['opened', openedText(times)],
    ['client', `${facts.client}${through}${whose}${offered}`],
    ['route', `${facts.route}, target ${facts.target} of ${facts.upstream}`],
    ['path', `${facts.path}, request ${facts.request_id}`],
    // Whole messages, those that a rate dropped among them, and not one that was refused by its header.
    ['read', `client ${sideText(facts.from_client)}`],
    ['', `backend ${sideText(facts.from_backend)}`],
  ];
  return texts.flatMap(([name, text]) => (text === null ? [] : [fitted(name, text, width)]));
}

/** Null while it is open. */
function toldText({ cause, code, code_backend, reason, clean }: Omit<WhyView, 'facts' | 'times'>): string | null {
  if (cause === null) return null;
  const text = reason === null || reason === '' ? '' : ` "${reason}"`;
  return `client ${codeText(code)}${text}, backend ${codeText(code_backend)}; ${clean ? 'clean' : 'not clean'}`;
}

function codeText(code: number | null): string {
  return code === null ? 'nothing' : String(code);
}

function openedText({ opened_at, ended_at, lived_ms, closing_ms }: WhyView['times']): string {
  if (closing_ms === null) return `${opened_at}, ${durationText(lived_ms)} ago`;
  const closed = ended_at === null ? 'closing for' : 'closed in';
  return `${opened_at}, lived ${durationText(lived_ms)}, ${closed} ${durationText(closing_ms)}`;
}

function sideText(side: SessionSideView): string {
  const pauses = side.pauses > 0 ? `, ${countedText(side.pauses, 'pause')}` : '';
  const waits = side.buffered > 0 ? `, ${sizeText(side.buffered)} waiting` : '';
  return (
    `${countedText(side.messages, 'message')}, ${sizeText(side.bytes)}, largest ${sizeText(side.largest_message)}, ` +
    `silent ${durationText(side.silent_ms)}${pauses}${waits}`
  );
}

function nearText({ key, unit, used, limit, share }: NearLimit): string {
  const text = unit === 'ms' ? durationText : unit === 'bytes' ? exactSizeText : groupedText;
  return `${key}: ${text(used)} of ${text(limit)}, ${Math.round(share * 100)} %`;
}

/** The last frames, at most `max` lines; times from `origin`, which is when the end began. */
export function recordLines(record: readonly FrameView[] | null, max: number, origin: number, width: number): string[] {
  if (max <= 0) return [];
  if (record === null) return [fitted('record', 'off', width)];
  if (record.length === 0) return [fitted('record', 'no frames', width)];
  const isCut = record.length > max;
  const shown = record.slice(isCut && max > 1 ? 1 - max : -max);
  const earlier = isCut && max > 1 ? [`${record.length - shown.length} earlier`] : [];
  return [...earlier, ...shown.map((frame) => frameText(frame, origin))].map((text, index) =>
    fitted(index === 0 ? 'record' : '', text, width),
  );
}

function frameText({ at_ms, from, opcode, fin, bytes, code }: FrameView, origin: number): string {
  const ms = at_ms - origin;
  const when = `${ms < 0 ? '-' : '+'}${durationText(Math.abs(ms))}`;
  const what = code === null ? opcode : `${opcode} ${code}`;
  return `${when.padStart(7)}  ${from.padEnd(8)}${what} ${sizeText(bytes)}${fin ? '' : ', more follows'}`;
}

function fitted(name: string, text: string, width: number): string {
  return cutText(`${name.padEnd(NAME_WIDTH)}${harmless(text)}`, width);
}

function labelled(name: string, text: string, width: number, max: number): string[] {
  return paragraph(text, width - NAME_WIDTH, max).map(
    (line, index) => `${(index === 0 ? name : '').padEnd(NAME_WIDTH)}${line}`,
  );
}

/** At most `max` lines. Words longer than one are cut: what follows a name says more than the rest of it. */
function paragraph(text: string, width: number, max: number): string[] {
  const words = harmless(text).split(' ');
  const lines = wrapped(words.map((word) => cutText(word, width)).join(' '), width, 0);
  if (lines.length <= max) return lines;
  return [...lines.slice(0, max - 1), cutText(`${lines[max - 1]} ...`, width)];
}
