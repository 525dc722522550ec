// Tables and text as markup. Whatever comes in is text and stays text.

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Names come from elsewhere: none is markup, and none turns around what stands beside it. */
function escaped(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (unit) => `\\u${unit.codePointAt(0)?.toString(16).padStart(4, '0')}`)
    .replace(/[&<>"']/g, (unit) => ENTITIES[unit] ?? '');
}

/** Several lines, as they are. */
export function escapedLines(text: string): string {
  return text.split('\n').map(escaped).join('\n');
}

export interface MarkupColumn<T> {
  readonly head: string;
  readonly text: (row: T) => string;
}

/** `more`: how many there are that are not in it. */
export function tableMarkup<T>(
  caption: string,
  columns: readonly MarkupColumn<T>[],
  rows: readonly T[],
  more = 0,
): string {
  if (rows.length === 0) return `<p>${escaped(caption)}: none</p>\n`;
  const cells = (row: T) => columns.map(({ text }) => `<td>${escaped(text(row))}</td>`).join('');
  const heads = columns.map(({ head }) => `<th scope="col">${escaped(head)}</th>`).join('');
  const body = rows.map((row) => `<tr>${cells(row)}</tr>`).join('\n');
  const rest = more > 0 ? `\n<p>${more} more</p>` : '';
  return (
    `<table>\n<caption>${escaped(caption)}</caption>\n` +
    `<thead><tr>${heads}</tr></thead>\n<tbody>\n${body}\n</tbody>\n</table>${rest}\n`
  );
}
