// The page as it lies in the package: its files, read once, and handed out by their names alone. What a request names
// is looked up among them and never becomes part of a path.

import { readdir, readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Answer } from './answer.ts';

/** The same from `src/` and from `dist/`: what is built. */
const BUILT = fileURLToPath(new URL('../../dist/page', import.meta.url));
const INDEX = 'page.html';
/** Stands once in it. */
const PLACE = '<!-- framegate: what is seen without scripts -->';

const TYPES: ReadonlyMap<string, string> = new Map([
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
]);

/** Of the page and its files, above those of every answer. No markup of another's is shown, run, framed or sent to. */
const HEADERS = {
  'Content-Security-Policy': "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'Referrer-Policy': 'no-referrer',
} as const;

export class PageFiles {
  private readonly html: readonly [before: string, after: string];
  private readonly files: ReadonlyMap<string, Answer>;

  constructor(html: string, files: ReadonlyMap<string, Answer>) {
    const [before = '', after = ''] = html.split(PLACE);
    this.html = [before, after];
    this.files = files;
  }

  /** Null: there is no file of that name. */
  file(name: string): Answer | null {
    return this.files.get(name) ?? null;
  }

  /** The page. `inner`: markup for whoever runs no scripts. */
  index(inner: string): Answer {
    return pageAnswer('text/html; charset=utf-8', Buffer.from(this.html.join(inner)));
  }
}

/** Null: this package was built without the page. */
export async function readPage(folder: string = BUILT): Promise<PageFiles | null> {
  try {
    const html = await readFile(path.join(folder, INDEX), 'utf8');
    const files = new Map<string, Answer>();
    for (const name of await readdir(folder)) {
      const type = TYPES.get(path.extname(name));
      if (type !== undefined) files.set(name, pageAnswer(type, await readFile(path.join(folder, name))));
    }
    return new PageFiles(html, files);
  } catch {
    return null;
  }
}

function pageAnswer(type: string, bytes: Buffer): Answer {
  return { status: 200, type, chunks: [bytes], headers: HEADERS };
}
