// Numbers as people read them: sizes, durations, counts. One style for advice and tables; it is never parsed back.

const SIZE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** 512B, 1.5KiB, 18KiB, 1MiB; `off` for no limit. Two digits that matter, three from 100 on. */
export function sizeText(bytes: number): string {
  if (bytes === Number.POSITIVE_INFINITY) return 'off';
  let value = bytes;
  let unit = 0;
  // 1023.5 KiB would be written as 1024KiB.
  while (value >= 1023.5 && unit < SIZE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${shortNumber(value)}${SIZE_UNITS[unit]}`;
}

/** As `sizeText` where that is exact, else in bytes: 1KiB, 2000B, 20 001B. For a size that is set against another. */
export function exactSizeText(bytes: number): string {
  const isExact = [1, 1024, 1024 ** 2, 1024 ** 3, 1024 ** 4].some(
    (unit) => bytes >= unit && bytes < unit * 1024 && Number(shortNumber(bytes / unit)) * unit === bytes,
  );
  if (isExact || !Number.isFinite(bytes)) return sizeText(bytes);
  return `${bytes < 10_000 ? bytes : groupedText(bytes)}B`;
}

const DURATION_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;

/** 340ms, 4.2s, 43m, 1.5h, 9.7d; `off` for no limit. */
export function durationText(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'off';
  if (ms < 999.5) return `${shortNumber(ms)}ms`;
  for (const [index, [unit, factor]] of DURATION_UNITS.entries()) {
    // 59.96 s would be written as 60s: that is 1m.
    const next = DURATION_UNITS[index + 1]?.[1] ?? 1;
    if (ms >= factor - next / 20 && (unit !== 'd' || ms >= 2 * factor)) return `${shortNumber(ms / factor)}${unit}`;
  }
  return `${shortNumber(ms / 1000)}s`;
}

/** 12, 0.2, 1.5; `off` for no limit. */
export function countText(count: number): string {
  return count === Number.POSITIVE_INFINITY ? 'off' : shortNumber(count);
}

/** 1204311 as 1 204 311. */
export function groupedText(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** 1 message, 12 messages. */
export function countedText(count: number, one: string): string {
  return `${groupedText(count)} ${one}${count === 1 ? '' : 's'}`;
}

/** 12 %, 0.4 %, under 0.001 %. */
export function shareText(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %';
  const percent = (part / whole) * 100;
  return percent < 0.001 ? 'under 0.001 %' : `${Number(percent.toPrecision(2))} %`;
}

function shortNumber(value: number): string {
  if (value >= 99.5) return String(Math.round(value));
  return String(Number(value.toPrecision(2)));
}
