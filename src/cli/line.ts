// Owns what stands on a line of a terminal: pieces of text, what each means, and how a line is cut, wrapped and
// painted. It lets nothing through that a terminal would obey, and knows no view.

/** What a colour may say; without one the text says it too. */
export type Tone = 'good' | 'warn' | 'bad' | 'strong' | 'faint';

/** Harmless already: made by `piece`. */
interface Piece {
  readonly text: string;
  readonly tone: Tone | null;
}

export type Line = readonly Piece[];

const CODES: Readonly<Record<Tone, string>> = { good: '32', warn: '33', bad: '31', strong: '1', faint: '2' };
const DOTS = '...';
/** What is written over more than one line is set in so far behind the first. */
const INDENT = 2;

/** Everything but printable ASCII, as JSON escapes it. */
export function harmless(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function piece(text: string, tone: Tone | null = null): Piece {
  return { text: harmless(text), tone };
}

/** Of text, and of pieces that have a tone of their own. */
export function line(...parts: readonly (string | Piece)[]): Line {
  return parts.map((part) => (typeof part === 'string' ? piece(part) : part));
}

export function widthOf(pieces: Line): number {
  return pieces.reduce((sum, { text }) => sum + text.length, 0);
}

export function painted(pieces: Line, colour: boolean): string {
  return pieces
    .map(({ text, tone }) => (colour && tone !== null && text !== '' ? `\x1b[${CODES[tone]}m${text}\x1b[0m` : text))
    .join('');
}

/** With a line feed behind each. */
export function printed(lines: readonly Line[], colour: boolean): string {
  return lines.map((one) => `${painted(one, colour)}\n`).join('');
}

/** At most `width` characters; the last three are dots where there were more. */
export function cutText(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - DOTS.length))}${DOTS}`.slice(0, width) : text;
}

export function cutLine(pieces: Line, width: number): Line {
  if (widthOf(pieces) <= width) return pieces;
  const cut: Piece[] = [];
  let left = width - DOTS.length;
  for (const { text, tone } of pieces) {
    if (left > 0) cut.push({ text: text.slice(0, left), tone });
    left -= text.length;
  }
  return [...cut, piece(DOTS.slice(0, width))];
}

/** Facts one behind the other, on as many lines as they take; none is parted, only cut where it is longer than one. */
export function flow(facts: readonly Line[], width: number): Line[] {
  const lines: Line[] = [];
  let open: Line = [];
  for (const [index, fact] of facts.entries()) {
    const isLast = index === facts.length - 1;
    const whole = isLast ? fact : [...fact, piece(';')];
    if (widthOf(open) > 0 && widthOf(open) + 1 + widthOf(whole) > width) {
      lines.push(open);
      open = [piece(' '.repeat(INDENT)), ...whole];
    } else {
      open = widthOf(open) === 0 ? whole : [...open, piece(' '), ...whole];
    }
  }
  return [...lines, open].map((one) => cutLine(one, width));
}

/** Words one behind the other; further lines are set in by `indent`. A word longer than a line goes on in the next. */
export function wrapped(text: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  let rest = text;
  for (let lead = ''; ; lead = ' '.repeat(indent)) {
    const room = Math.max(1, width - lead.length);
    if (rest.length <= room) return [...lines, lead + rest];
    const space = rest.lastIndexOf(' ', room);
    const end = rest.slice(0, Math.max(0, space)).trim() === '' ? room : space;
    lines.push((lead + rest.slice(0, end)).trimEnd());
    rest = rest.slice(end).trimStart();
  }
}
