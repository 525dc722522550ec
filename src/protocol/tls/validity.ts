// When a revocation list has to be replaced, read from its DER. What is no such list has no time; nothing is verified.

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

interface Element {
  readonly tag: number;
  /** Of its content. */
  readonly start: number;
  readonly end: number;
}

/** `nextUpdate` of a CertificateList in milliseconds since 1970 (RFC 5280 5.1.2.5); null when it has none. */
export function nextUpdateOf(der: Buffer): number | null {
  const list = elementAt(der, 0, der.length);
  const signed = list?.tag === SEQUENCE ? elementAt(der, list.start, list.end) : null;
  if (signed?.tag !== SEQUENCE) return null;
  let at = signed.start;
  const next = (): Element | null => {
    const element = elementAt(der, at, signed.end);
    if (element !== null) at = element.end;
    return element;
  };
  let element = next();
  // The version may be left out.
  if (element?.tag === INTEGER) element = next();
  const issuer = next();
  const thisUpdate = next();
  const nextUpdate = next();
  if (element?.tag !== SEQUENCE || issuer?.tag !== SEQUENCE || !isTime(thisUpdate) || !isTime(nextUpdate)) return null;
  return timeOf(nextUpdate.tag, der.toString('latin1', nextUpdate.start, nextUpdate.end));
}

function isTime(element: Element | null): element is Element {
  return element !== null && (element.tag === UTC_TIME || element.tag === GENERALIZED_TIME);
}

/** X.690 8.1, lengths of up to four bytes. Null when it does not fit into `end`. */
function elementAt(der: Buffer, at: number, end: number): Element | null {
  if (end - at < 2) return null;
  const tag = der.readUInt8(at);
  const first = der.readUInt8(at + 1);
  const count = first < 0x80 ? 0 : first - 0x80;
  if (count > 4 || first === 0x80 || end - at < 2 + count) return null;
  const start = at + 2 + count;
  const size = count === 0 ? first : der.readUIntBE(at + 2, count);
  return size > end - start ? null : { tag, start, end: start + size };
}

/** RFC 5280 4.1.2.5: both forms end in Z; the short one is of 1950 to 2049. */
function timeOf(tag: number, text: string): number | null {
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (match === null) return null;
  const [, year = '', month, day, hour, minute, second] = match;
  if ((year.length === 2) !== (tag === UTC_TIME)) return null;
  const century = year.length === 4 ? '' : Number(year) < 50 ? '20' : '19';
  const time = Date.parse(`${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? null : time;
}
