// A query as forms write it (application/x-www-form-urlencoded): its parameters, decoded to bytes. Whoever takes one
// out and whoever reads one goes by this, so that no spelling is another name to one of them.

interface Parameter {
  readonly name: string;
  readonly value: string;
}

/** In their order; of '' none. */
export function parametersOf(query: string): readonly Parameter[] {
  return query === '' ? [] : query.slice(1).split('&').map(parameterOf);
}

/** Of one pair, its "=" and what follows may be missing. */
export function parameterOf(pair: string): Parameter {
  const equalsAt = pair.indexOf('=');
  if (equalsAt === -1) return { name: formDecoded(pair), value: '' };
  return { name: formDecoded(pair.slice(0, equalsAt)), value: formDecoded(pair.slice(equalsAt + 1)) };
}

/** A "%" that begins no escape is one. */
export function percentDecoded(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function formDecoded(text: string): string {
  return percentDecoded(text.replaceAll('+', ' '));
}
