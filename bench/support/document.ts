// Puts generated text between two marker lines of a document and leaves everything else as it is.

import { readFileSync, writeFileSync } from 'node:fs';

/** `text` with what stands between the markers of `section` replaced. Throws when the markers are not there. */
export function replaceSection(text: string, section: string, content: string): string {
  const begin = `<!-- ${section} -->`;
  const end = `<!-- /${section} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`no lines "${begin}" and "${end}"`);
  return `${text.slice(0, from + begin.length)}\n\n${content.trim()}\n\n${text.slice(to)}`;
}

export function writeSection(file: string, section: string, content: string): void {
  writeFileSync(file, replaceSection(readFileSync(file, 'utf8'), section, content));
}
