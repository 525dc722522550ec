// What of a service's answer goes on: to the client, when it is refused, or into what its session stands on. Only what
// can neither end a line nor be taken for something else does.

type Fields = Readonly<Record<string, readonly string[]>>;
type RelayedName = 'WWW-Authenticate' | 'Location' | 'Set-Cookie';

const VALUE_BYTES_MAX = 1_024;
const IDENTITY_BYTES_MAX = 256;
/** Of one name; the answer's head is bounded as a whole besides. */
const LINES_MAX = 16;
const PRINTABLE = /^[\x20-\x7e]+$/;
const CONTROL = /\p{Cc}/u;
const RETRY_SECONDS_MAX = 86_400;

/** Each line by itself, in the order of `names`. */
export function relayedFields(
  fields: Fields,
  names: readonly RelayedName[],
): readonly (readonly [name: string, value: string])[] {
  return names.flatMap((name) => {
    const values = fields[name.toLowerCase()] ?? [];
    const good = values.filter((value) => PRINTABLE.test(value)).slice(0, LINES_MAX);
    return good.map((value) => [name, value] as const);
  });
}

/** One value of each of `names` that has a sound one. */
export function takenFields(fields: Fields, names: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Map<string, string>();
  for (const name of names) {
    const text = textOf((fields[name] ?? []).join(', '), VALUE_BYTES_MAX);
    if (text !== undefined && text !== '') taken.set(name, text);
  }
  return taken;
}

/** Null: the answer names nobody; undefined: it does, in a way that is none. */
export function identityIn(fields: Fields): string | null | undefined {
  const [value = '', ...more] = fields['x-framegate-identity'] ?? [];
  if (more.length > 0) return undefined;
  return value === '' ? null : textOf(value, IDENTITY_BYTES_MAX);
}

/** Null and undefined as above. */
export function expirySeconds(fields: Fields): number | null | undefined {
  const [value, ...more] = fields['x-framegate-expires'] ?? [];
  if (value === undefined) return null;
  return more.length === 0 && /^0*[1-9][0-9]{0,9}$/.test(value) ? Number(value) : undefined;
}

/** RFC 9110 10.2.3: seconds, or a date. Null: it says none that anybody would wait for. */
export function retrySeconds(fields: Fields, wallNow: number): number | null {
  const [value = ''] = fields['retry-after'] ?? [];
  const seconds = /^[0-9]{1,9}$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - wallNow) / 1000);
  return seconds >= 1 && seconds <= RETRY_SECONDS_MAX ? seconds : null;
}

/** Fields come as bytes, which most who write names into them mean as UTF-8. */
function textOf(value: string, bytesMax: number): string | undefined {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length > bytesMax) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return CONTROL.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
