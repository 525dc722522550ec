// Owns what a text with units was meant as that is in the form of other programs: 1d, 1h30m, 64KB. It must not know
// ranges, nor any config key.

/** Longer ones are no slip. */
const LENGTH_MAX = 32;
const NUMBER_AND_WORD = /(0|[1-9][0-9]*)(\.[0-9]+)? ?([a-z]+) ?/y;
const NEVER = /^(never|none|no|disabled|unlimited|infinite|infinity)$/i;

/** Words for units in lower-case, without the s of a plural, and how many of the smallest unit each is. */
export type UnitWords = Readonly<Record<string, number>>;

/** The sum of all its parts, Infinity for what means off; null when it cannot be read, or is no whole number. */
export function guessAmount(text: string, words: UnitWords): number | null {
  if (NEVER.test(text)) return Number.POSITIVE_INFINITY;
  const plain = text.trim().toLowerCase();
  if (plain === '' || plain.length > LENGTH_MAX) return null;
  let sum = 0;
  NUMBER_AND_WORD.lastIndex = 0;
  while (NUMBER_AND_WORD.lastIndex < plain.length) {
    const [part, whole = '', fraction = '', word = ''] = NUMBER_AND_WORD.exec(plain) ?? [];
    const unit = unitOf(word, words);
    if (part === undefined || unit === null) return null;
    // 1.1 of something is no whole number before it is rounded.
    sum += Math.round(Number(whole + fraction) * unit * 1000) / 1000;
  }
  return Number.isSafeInteger(sum) ? sum : null;
}

function unitOf(word: string, words: UnitWords): number | null {
  const one = word.length > 2 ? word.replace(/s$/, '') : word;
  return Object.hasOwn(words, one) ? (words[one] ?? null) : null;
}
