// Text that stands alone in memory. What V8 cuts out of a head, or puts together, keeps all that it was made of.

/** A copy of latin1 text, for what lives longer than the head that it comes from. */
export function ownText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
