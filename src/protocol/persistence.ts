// Whether a connection can be asked again after an answer (RFC 9112 9.3), and for how long its peer says that it waits.

import type { HeadField, ResponseHead } from './http-head.ts';
import { lowerElements, valuesOf } from './lists.ts';

/** In milliseconds: 0 when it closes, Infinity where nothing is said of the time. */
export function persistsFor({ version, fields }: ResponseHead): number {
  // HTTP/1.0 has no rule for it that all follow.
  if (version === '1.0' || saysClose(fields)) return 0;
  const times = lowerElements(valuesOf(fields, 'keep-alive')).flatMap((member) => {
    const seconds = /^timeout *= *"?([0-9]{1,9})"?$/.exec(member)?.[1];
    return seconds === undefined ? [] : [Number(seconds) * 1000];
  });
  return Math.min(Number.POSITIVE_INFINITY, ...times);
}

/** Nothing follows the message of these fields on its connection. */
export function saysClose(fields: readonly HeadField[]): boolean {
  return lowerElements(valuesOf(fields, 'connection')).includes('close');
}
