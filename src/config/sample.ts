// Owns the text of config.yaml: every key with its default and what it means, all but the few that make an echo on
// loopback behind a "#".

import { config } from './keys/config.ts';
import type { Keys, Row } from './keys/row.ts';
import { meaningOf } from './kinds.ts';

const HEAD = `\
## framegate's own config, and the form of yours: npm start runs it, framegate check tells what is wrong with it.
## Every key of this version is here. Behind one "#" stands a key that could be written, with its default; where the
## default is no value, it follows a "=". Behind two stands what could be written in place of what is above it.
## Durations and sizes need a unit; off switches a limit or timeout off.
## \${NAME} and \${NAME:-default} come from the environment, {file: path} is the text of a file.
`;

/** What is not behind a "#", with its value where that is not the default. */
const LIVE: Readonly<Record<string, string>> = {
  listeners: '',
  'listeners[].address': '',
  routes: '',
  'routes[].match': '',
  'routes[].match.path': '/echo',
  'routes[].upstream': 'builtin:echo',
};

/** The key that only a unix socket has, in a listener of its own. */
const OF_UNIX_SOCKET = 'listeners[].mode';
const UNIX_SOCKET = 'address: unix:framegate.sock';

/** In front of what could stand in place of something above it. */
const INSTEAD = '## ';

/** What the one of each kind is called that has a name. */
const NAMED: Readonly<Record<string, string>> = { auth: 'partners', upstreams: 'chat' };

const COMMENT_COLUMN = 39;
const COLUMNS_MAX = 120;
/** Where a line may end: not within braces. */
const BREAK = / (?![^{}]*\})/;

/** Where a key stands: behind a "#" or not, how deep, and in front of it the dash of a list. */
interface Place {
  readonly path: string;
  readonly before: string;
  readonly mark: '' | '# ' | typeof INSTEAD;
  readonly indent: string;
  readonly dash: '' | '- ';
}

export function sampleConfig(): string {
  const blocks = Object.entries<Row>(config).map(([key, row]) => {
    const mark = key in LIVE ? '' : '# ';
    return [...keyLines(row, { path: key, before: '', mark, indent: '', dash: '' })].join('\n');
  });
  return `${[HEAD, ...blocks.map((block) => `${block}\n`)].join('\n')}`;
}

function* keyLines(row: Row, place: Place): Generator<string> {
  const { path, before, mark, indent, dash } = place;
  const name = path.replace(/^.*\./, '');
  const value = valueText(row, path);
  const text = `${before}${mark}${indent}${dash}${name}:${value === '' ? '' : ` ${value}`}`;
  yield* commented(text, mark === '' ? '' : `${before}#`, commentOf(row));
  const deeper = `${indent}${dash === '' ? '' : '  '}  `;
  if (row.kind === 'named' && row.of.kind === 'block') {
    yield `${before}${mark}${deeper}${NAMED[path] ?? ''}:`;
    const inner = { ...place, path: `${path}.*`, indent: `${deeper}  `, dash: '' } as const;
    yield* blockLines(row.of.keys, inner, row.of.one !== undefined);
  }
  if (row.kind === 'list' && row.of.kind === 'block')
    yield* blockLines(row.of.keys, { ...place, path: `${path}[]`, indent: deeper, dash: '- ' });
  if (!isOpen(row, path)) return;
  // Its keys could stand there in place of the word.
  const inner = hasWord(row) ? INSTEAD : mark;
  yield* blockLines(row.keys, { ...place, mark: inner, indent: deeper, dash: '' }, row.one !== undefined);
}

function hasWord(row: Row): boolean {
  return row.kind === 'block' && typeof row.default === 'string';
}

/** The keys of a block: first those that are live or required. `takesOne`: each could stand in place of the first. */
function* blockLines(keys: Keys, place: Place, takesOne = false): Generator<string> {
  const rows = Object.entries(keys).map(([key, row]) => ({ path: `${place.path}.${key}`, row }));
  const isFirst = ({ path, row }: (typeof rows)[number]) => (place.mark === '' ? path in LIVE : isRequired(row));
  const ordered = [...rows.filter(isFirst), ...rows.filter((one) => !isFirst(one))];
  const inner = `${place.indent}${place.dash === '' ? '' : '  '}`;
  for (const [index, { path, row }] of ordered.entries()) {
    if (path === OF_UNIX_SOCKET) continue;
    if (place.mark === '' && !(path in LIVE))
      yield* keyLines(row, { path, before: inner, mark: '# ', indent: '', dash: '' });
    else if (index === 0) yield* keyLines(row, { ...place, path });
    else if (takesOne || row.instead === true)
      yield* keyLines(row, { ...place, path, mark: INSTEAD, indent: inner, dash: '' });
    else yield* keyLines(row, { ...place, path, indent: inner, dash: '' });
  }
  const socket = rows.find(({ path }) => path === OF_UNIX_SOCKET);
  if (socket === undefined) return;
  yield `${place.indent}# - ${UNIX_SOCKET}`;
  yield* keyLines(socket.row, { path: OF_UNIX_SOCKET, before: place.indent, mark: '# ', indent: '  ', dash: '' });
}

function isRequired(row: Row): boolean {
  return row.default === undefined && row.unset === undefined;
}

/** A block whose keys stand below it. Those that only repeat others are not shown again. */
function isOpen(row: Row, path: string): row is Row & { kind: 'block' } {
  return row.kind === 'block' && !/^(routes\[\]\.(limits|timeouts|close_codes)|defaults)$/.test(path);
}

function valueText(row: Row, path: string): string {
  const live = LIVE[path] ?? '';
  const isBlocks = (row.kind === 'named' || row.kind === 'list') && row.of.kind === 'block';
  if (live !== '') return live;
  if (isBlocks || (isOpen(row, path) && !hasWord(row))) return '';
  if (row.default === undefined) return row.example ?? '';
  return typeof row.default === 'string' ? row.default : JSON.stringify(row.default);
}

function commentOf(row: Row): string {
  if (isRequired(row)) return `Required. ${meaningOf(row)}`;
  return row.unset === undefined ? meaningOf(row) : `= ${row.unset}. ${meaningOf(row)}`;
}

/** `text` with a comment beside it, which goes on below behind `margin`. */
function* commented(text: string, margin: string, comment: string): Generator<string> {
  const column = Math.max(COMMENT_COLUMN, text.length + 1);
  let line = `${text.padEnd(column)}#`;
  for (const word of comment.split(BREAK)) {
    if (line.length + 1 + word.length > COLUMNS_MAX) {
      yield line;
      line = `${margin.padEnd(column)}#`;
    }
    line += ` ${word}`;
  }
  yield line;
}
