// Owns lists of addresses, written in the config or in a file of their own: reads each file once, and packs the blocks
// of each list. It must not put what a file holds into a message: the path may lead to something else.

import { createHash } from 'node:crypto';
import { parseCidr } from '../protocol/addresses/cidr.ts';
import { BlockPacker, printCidr, unpackBlocks } from '../protocol/addresses/packed-blocks.ts';
import { blockProblem } from './addresses.ts';
import type { PathSegments } from './problems.ts';
import { type FileAccess, readBytes, resolvePath } from './substitute.ts';
import type { AddressList, ParsedConfig } from './types.ts';

/** As the schema gives it. */
type ListInput = readonly string[] | { readonly file: string };

type Report = (message: string) => void;

/** A hundred thousand blocks take two. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;
/** The longest block has 43 characters; of what is longer nothing is looked at. */
const ENTRY_LENGTH_MAX = 64;
/** Lines told of one file: whoever named the wrong file would get a sentence for each of its lines. */
const FAULTS_MAX = 10;

/** Peers on unix sockets, in a list of proxies. */
export const UNIX = 'unix';

const LINE_FEED = 0x0a;
const HASH = 0x23;

/** Where a list may stand, and what beside blocks may be in it. */
interface Listed {
  readonly path: PathSegments;
  readonly input: ListInput;
  readonly words: readonly string[];
}

/** Of a route, or of `defaults`. */
interface ClientLists {
  readonly allow?: 'any' | ListInput | undefined;
  readonly deny?: ListInput | undefined;
}

/** Every list of a config. */
export function* addressListsOf({ trusted_proxies, listeners, defaults, routes }: ParsedConfig): Generator<Listed> {
  yield { path: ['trusted_proxies'], input: trusted_proxies, words: [UNIX] };
  for (const [index, listener] of listeners.entries()) {
    const { trusted_proxies: input } = listener;
    if (input !== undefined) yield { path: ['listeners', index, 'trusted_proxies'], input, words: [UNIX] };
  }
  yield* clientLists(defaults, ['defaults']);
  for (const [index, route] of routes.entries()) yield* clientLists(route, ['routes', index]);
}

function* clientLists({ allow, deny }: ClientLists, path: PathSegments): Generator<Listed> {
  if (allow !== undefined && allow !== 'any') yield { path: [...path, 'allow'], input: allow, words: [] };
  if (deny !== undefined) yield { path: [...path, 'deny'], input: deny, words: [] };
}

interface ReadList {
  readonly list: AddressList;
  readonly problems: readonly string[];
}

export class AddressLists {
  private readonly access: FileAccess;
  /** By where the path leads, and whether `unix` may stand in it. */
  private readonly files = new Map<string, ReadList>();
  private readonly lists = new Map<ListInput, AddressList>();

  constructor(access: FileAccess) {
    this.access = access;
  }

  /** Of a list in the config the schema has judged each entry. */
  add({ input, words }: Listed, report: Report): AddressList {
    const { list, problems } = 'file' in input ? this.fromFile(input.file, words) : inlineList(input, words);
    for (const problem of problems) report(problem);
    this.lists.set(input, list);
    return list;
  }

  /** Of an input that was added: the object itself counts. */
  of(input: ListInput): AddressList {
    const list = this.lists.get(input);
    if (list === undefined) throw new Error('a list of addresses was not read');
    return list;
  }

  private fromFile(file: string, words: readonly string[]): ReadList {
    const key = `${words.join()}\n${resolvePath(this.access.baseDir, file)}`;
    const known = this.files.get(key);
    // Written in another way, the same file may stand in the config twice.
    if (known !== undefined) return { ...known, list: { ...known.list, file } };
    const bytes = readBytes(file, this.access, FILE_BYTES_MAX);
    const read = 'problem' in bytes ? { list: NOBODY, problems: [bytes.problem] } : readList(file, bytes.value, words);
    this.files.set(key, read);
    return read;
  }
}

/** What a list holds as it would be written in the config. */
export function writtenList({ file, words, blocks }: AddressList): readonly string[] | { readonly file: string } {
  return file === null ? [...words, ...[...unpackBlocks(blocks)].map(printCidr)] : { file };
}

/** Whether a block of it is a whole family. */
export function hasEverybody({ blocks }: AddressList): boolean {
  for (const { prefix } of unpackBlocks(blocks)) if (prefix === 0) return true;
  return false;
}

class ListBuilder {
  private readonly packer = new BlockPacker();
  private readonly words = new Set<string>();

  /** What is wrong with it, or null. */
  add(entry: string, words: readonly string[]): string | null {
    if (words.includes(entry)) {
      this.words.add(entry);
      return null;
    }
    const cidr = parseCidr(entry);
    if ('fault' in cidr) return blockProblem(cidr);
    this.packer.add(cidr);
    return null;
  }

  finish(file: string | null): AddressList {
    const words = [...this.words];
    const blocks = this.packer.finish();
    const digest = createHash('sha256').update(`${words.join()}\n`).update(blocks).digest('base64');
    return { file, words, blocks, digest };
  }
}

const NOBODY: AddressList = new ListBuilder().finish(null);

function inlineList(entries: readonly string[], words: readonly string[]): ReadList {
  if (entries.length === 0) return { list: NOBODY, problems: [] };
  const builder = new ListBuilder();
  const problems = entries.flatMap((entry) => builder.add(entry, words) ?? []);
  return { list: builder.finish(null), problems };
}

/** One entry a line; a "#" begins a comment. */
function readList(file: string, bytes: Buffer, words: readonly string[]): ReadList {
  const builder = new ListBuilder();
  const problems: string[] = [];
  let faults = 0;
  let line = 0;
  for (let start = isMarked(bytes) ? 3 : 0; start < bytes.length; ) {
    const found = bytes.indexOf(LINE_FEED, start);
    const end = found === -1 ? bytes.length : found;
    line += 1;
    const entry = entryOf(bytes.subarray(start, end));
    start = end + 1;
    const problem = entry === '' ? null : builder.add(entry, words);
    if (problem === null) continue;
    faults += 1;
    if (faults <= FAULTS_MAX) problems.push(`line ${line} of this file: ${problem}`);
  }
  const left = faults - problems.length;
  if (left > 0) problems.push(`${left} more line${left === 1 ? '' : 's'} of this file, not listed`);
  return { list: builder.finish(file), problems };
}

/** Editors of Windows put a byte order mark in front. */
function isMarked(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** Without comment and blanks; what is too long is cut, and is no block. */
function entryOf(line: Buffer): string {
  const hash = line.indexOf(HASH);
  let end = hash === -1 ? line.length : hash;
  let start = 0;
  while (start < end && isBlank(line[start])) start += 1;
  while (end > start && isBlank(line[end - 1])) end -= 1;
  return line.toString('latin1', start, Math.min(end, start + ENTRY_LENGTH_MAX));
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}
