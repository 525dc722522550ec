// One input of the corpus: where it belongs, what it is called, and its bytes. It says nothing of what must come of it.

export interface CorpusCase {
  /** The construction it comes from, and what that was applied to: one line of the recorded verdicts. */
  readonly group: string;
  /** Unique in its group, without spaces. */
  readonly variant: string;
  readonly bytes: Buffer;
}

export function nameOf(one: CorpusCase): string {
  return `${one.group}: ${one.variant}`;
}

/** Latin1 text as bytes: one byte a character. */
export function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

export function hexByte(char: string): string {
  return char.charCodeAt(0).toString(16).padStart(2, '0');
}

/** Text as a variant: what is no visible ASCII as \\x20; long ones without their end, and counted. */
export function variantOf(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 50)}...${text.length}` : text;
  return short.replace(/[^!-~]/g, (char) => `\\x${hexByte(char)}`) || '(empty)';
}

/** A case for each text; `make` puts it into its place. */
export function variants(group: string, texts: readonly string[], make: (text: string) => string): CorpusCase[] {
  return texts.map((text) => ({ group, variant: variantOf(text), bytes: latin1(make(text)) }));
}
