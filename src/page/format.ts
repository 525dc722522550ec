// Numbers as people read them, as the terminal's tables write them. Pure.

const SIZE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
export const NONE = '–';

/** 512 B, 1.5 KiB, 18 KiB. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 1023.5 KiB would be written as 1024 KiB.
  while (value >= 1023.5 && unit < SIZE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${shortNumber(value)} ${SIZE_UNITS[unit]}`;
}

const DURATION_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;

/** 340 ms, 4.2 s, 43 m, 1.5 h, 9.7 d. */
export function durationText(ms: number): string {
  if (ms < 999.5) return `${shortNumber(Math.max(0, ms))} ms`;
  for (const [index, [unit, factor]] of DURATION_UNITS.entries()) {
    // 59.96 s would be written as 60 s: that is 1 m.
    const next = DURATION_UNITS[index + 1]?.[1] ?? 1;
    if (ms >= factor - next / 20 && (unit !== 'd' || ms >= 2 * factor)) return `${shortNumber(ms / factor)} ${unit}`;
  }
  return `${shortNumber(ms / 1000)} s`;
}

/** 1204311 as 1 204 311, with spaces that a line does not break at. */
export function groupedText(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, '\u00a0');
}

/** A rate: whole from 100 on, two digits that matter below. */
export function rateText(perSecond: number): string {
  return perSecond >= 99.5 ? groupedText(perSecond) : shortNumber(perSecond);
}

/** From 0 to 1 as a percentage: 12 %, 0.4 %. */
export function percentText(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 0.001) return 'under 0.001 %';
  return `${percent >= 99.5 ? Math.round(percent) : Number(percent.toPrecision(2))} %`;
}

function shortNumber(value: number): string {
  if (value >= 99.5) return String(Math.round(value));
  return String(Number(value.toPrecision(2)));
}

/** 14:03:12, where the reader is. */
export function timeText(atMs: number): string {
  const time = new Date(atMs);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

/** 2027-01-31 14:03, where the reader is. */
export function dateText(atMs: number): string {
  const time = new Date(atMs);
  const day = [time.getFullYear(), time.getMonth() + 1, time.getDate()];
  return `${day.map((part) => String(part).padStart(2, '0')).join('-')} ${timeText(atMs).slice(0, 5)}`;
}

/** What no eye can see is shown as an escape: controls, and marks that turn the reading direction. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu,
    (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
