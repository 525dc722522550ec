// When the next revocation list is due, out of the bytes of one that OpenSSL has taken. It verifies nothing.

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
/** X.690 8.1.3.5: above this, how many bytes the length has. */
const LONG_LENGTH = 0x80;
const LENGTH_BYTES_MAX = 4;

/** RFC 5280 5.1.2.5, in milliseconds since 1970; null where it does not say. */
export function nextUpdateOf(der: Uint8Array): number | null {
  const list = elementAt(der, 0);
  const body = list === null ? null : elementAt(der, list.start);
  if (body === null) return null;
  const first = elementAt(der, body.start);
  // The version may be left out. Behind it: algorithm, issuer, this update, and then the next one.
  let element = first?.tag === INTEGER ? elementAt(der, first.end) : first;
  for (let skipped = 0; skipped < 3 && element !== null; skipped += 1) element = elementAt(der, element.end);
  return element === null || element.end > body.end ? null : timeOf(der, element);
}

/** X.690 8.1: what begins at `offset`, or null where it does not fit in. */
function elementAt(der: Uint8Array, offset: number): Element | null {
  const tag = der[offset];
  const short = der[offset + 1];
  if (tag === undefined || short === undefined) return null;
  let start = offset + 2;
  let length = short;
  if (short >= LONG_LENGTH) {
    const bytes = short - LONG_LENGTH;
    if (bytes === 0 || bytes > LENGTH_BYTES_MAX) return null;
    length = 0;
    for (const byte of der.subarray(start, start + bytes)) length = length * 256 + byte;
    start += bytes;
  }
  const end = start + length;
  return end <= der.length ? { tag, start, end } : null;
}

/** RFC 5280 4.1.2.5: to the second, and in Greenwich. */
function timeOf(der: Uint8Array, { tag, start, end }: Element): number | null {
  if (tag !== UTC_TIME && tag !== GENERALIZED_TIME) return null;
  const text = String.fromCharCode(...der.subarray(start, Math.min(end, start + 16)));
  const match = /^(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return null;
  const [, year = '', month, day, hour, minute, second] = match;
  // A year of two digits below 50 is of this century.
  const century = year.length === 4 ? '' : Number(year) < 50 ? '20' : '19';
  const time = Date.parse(`${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? null : time;
}
