// Text that stands alone in memory. What V8 cuts out of a head, or puts together, keeps all that it was made of.

const BEYOND_LATIN1 = /[^\0-\xff]/;

/** A copy, for what lives longer than the head that it comes from. */
export function ownText(text: string): string {
  const encoding = BEYOND_LATIN1.test(text) ? 'utf16le' : 'latin1';
  return Buffer.from(text, encoding).toString(encoding);
}
