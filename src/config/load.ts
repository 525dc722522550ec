// The way in: config text or a plain object to a frozen Config, or all problems at once with their positions.
// Environment and files are arguments; nothing here touches the process.

import { readFileSync } from 'node:fs';
import { AddressLists, addressListsOf, hasEverybody, UNIX } from './address-lists.ts';
import { doubleBroughtBraces } from './brought-text.ts';
import { buildConfig } from './build.ts';
import { checkConfig, EVERYBODY } from './check.ts';
import { checkSecrets } from './check-secrets.ts';
import { fileMode } from './file-mode.ts';
import { hasAcmeClient } from './has-package.ts';
import { takesListFile, withoutEmptyBlocks } from './key-walk.ts';
import { aroundAdmin, ENTRIES, type ListPlace, OWNER, TARGETS } from './list-places.ts';
import { type EntryLists, loadAuth } from './load-auth.ts';
import { loadAllTls } from './load-tls.ts';
import { objectTree } from './object-source.ts';
import { type Origin, withInherited } from './origin.ts';
import { faultyPaths, inOrder, listed, type Pending } from './pending.ts';
import { ConfigError, type PathSegments, type Problem, pathText } from './problems.ts';
import { parseRepairing } from './repair.ts';
import { SourceText } from './source-text.ts';
import {
  baseDirOf,
  type Environment,
  type FileAccess,
  type FileMode,
  type ReadFile,
  readBytes,
  resolvePath,
} from './substitute.ts';
import { isBroken, nodeAt, offsetOf, plainValue, secretPaths, type Tree } from './tree.ts';
import type { AdminConfig, Config, ConfigInput, ParsedConfig, TargetConfig } from './types.ts';
import { routeNames, secretFileAt, writtenNames } from './written-names.ts';
import { yamlTree } from './yaml-source.ts';

export interface LoadInput {
  /** The file as read: bytes show whether it is UTF-8 at all. */
  readonly text: string | Uint8Array;
  /** Its name in problems; relative paths start at its folder. */
  readonly file: string;
  readonly env: Environment;
  readonly readFile: ReadFile;
  /** Who may read a file; the permissions that it has, unless given. */
  readonly fileMode?: FileMode;
  /** The time that certificates are judged by, in milliseconds since 1970; now, unless given. */
  readonly now?: number;
  /** Where relative paths start instead, such as for a config from stdin. */
  readonly baseDir?: string;
  /** Whether the optional package that speaks ACME is there; looked for, unless given. */
  readonly hasAcmeClient?: () => boolean;
}

export type LoadResult =
  | { readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly problems: readonly Problem[] };

interface ObjectOptions {
  /** Where relative paths start. */
  readonly baseDir: string;
  readonly readFile?: ReadFile;
}

/** Of a list of `auth` in a file of its own. */
const LIST_BYTES_MAX = 1024 * 1024;
/** YAML against lists of addresses, which are most of what a config reads. */
const YAML_WEIGHT = 16;

const EMPTY_FILE = 'the file is empty: a config has at least routes';

/** What stands where the name of the file would in problems of an object. */
const OBJECT_NAME = 'config';

export function loadConfig(input: LoadInput): LoadResult {
  const source = new SourceText(input.text);
  const loader = new Loader(input.file, source, aroundOf(input.baseDir ?? baseDirOf(input.file), input));
  if (source.fault !== null) {
    loader.problem('error', source.fault.offset, [], source.fault.message);
    return { problems: loader.sorted() };
  }
  const report = (start: number, path: PathSegments, message: string) => loader.problem('error', start, path, message);
  const tree = yamlTree(source, { ...loader.around, env: input.env, isListed: takesListFile, report });
  const isEmpty = source.text.trim() === '';
  if (isEmpty) loader.problem('error', 0, [], EMPTY_FILE);
  if (tree === null || isEmpty) return { problems: loader.sorted() };
  return loader.load(tree);
}

/**
 * What `admin` says, whatever is wrong elsewhere. Null: there is none, something is wrong with it, or the text is not
 * YAML that can be read.
 */
export function loadAdmin(input: LoadInput): AdminConfig | null {
  const source = new SourceText(input.text);
  if (source.fault !== null) return null;
  const loader = new Loader(input.file, source, aroundOf(input.baseDir ?? baseDirOf(input.file), input));
  let isSound = true;
  const report = (_start: number, [key]: PathSegments) => {
    if (key === undefined || key === 'admin') isSound = false;
  };
  const tree = yamlTree(source, { ...loader.around, env: input.env, isListed: takesListFile, report });
  const admin = tree?.kind === 'map' ? tree.entries.get('admin') : undefined;
  if (!isSound || admin === undefined) return null;
  const result = loader.load(aroundAdmin(admin.node));
  return 'config' in result ? result.config.admin : null;
}

/** The library's way in: the same form as the file, without `${NAME}`. Throws ConfigError with all problems. */
export function loadObject(
  input: ConfigInput,
  options: ObjectOptions,
): { config: Config; warnings: readonly Problem[] } {
  const readFile = options.readFile ?? ((path: string) => readFileSync(path));
  const loader = new Loader(OBJECT_NAME, null, aroundOf(options.baseDir, { readFile }));
  const report = (start: number, path: PathSegments, message: string) => loader.problem('error', start, path, message);
  const tree = objectTree(input, report, { ...loader.around, isListed: takesListFile });
  const result = loader.load(tree);
  if ('problems' in result) throw new ConfigError(result.problems);
  return result;
}

/**
 * A list of targets that is a file of its own: as `targets` of an upstream, with `${NAME}` and `{file: path}`, every
 * check and the same words for what is wrong. Relative paths start at its folder.
 */
export function loadTargets(
  input: LoadInput,
): { readonly targets: readonly TargetConfig[] } | { readonly problems: readonly Problem[] } {
  const result = loadList(input, TARGETS);
  if ('config' in result) return { targets: result.config.upstreams[OWNER]?.targets ?? [] };
  return { problems: result.problems.filter(({ severity }) => severity === 'error') };
}

/**
 * What is wrong with it is told with its own lines, and with paths that begin at the list. `outerRoutes`: names of the
 * routes of the config that it belongs to.
 */
function loadList(input: LoadInput, place: ListPlace, outerRoutes: ReadonlySet<string> | null = null): LoadResult {
  const source = new SourceText(input.text, place.bytesMax);
  const loader = new Loader(input.file, source, aroundOf(baseDirOf(input.file), input), { outerRoutes });
  const report = (start: number, path: PathSegments, message: string) =>
    loader.problem('error', start, [...place.path, ...path], message);
  if (source.fault !== null) report(source.fault.offset, [], source.fault.message);
  const { env } = input;
  const list =
    source.fault === null ? yamlTree(source, { ...loader.around, env, isListed: () => false, report }) : null;
  if (list?.kind === 'map') {
    const found = list.entries.size === 0 ? 'nothing: an empty one is []' : 'a map: each entry begins with "- "';
    report(list.start, [], `expected a list, found ${found}`);
    return { problems: loader.sorted().map((problem) => ({ ...problem, path: '' })) };
  }
  const result = list === null ? { problems: loader.sorted() } : loader.load(place.around(list));
  const prefix = pathText(place.path);
  const own = (problems: readonly Problem[]) =>
    problems
      // Of what stands around it only what the list itself has brought about.
      .filter(({ severity, path }) => severity === 'error' || path.startsWith(prefix))
      .map((problem) => ({ ...problem, path: problem.path.replace(prefix, '') }));
  if ('config' in result) return { ...result, warnings: own(result.warnings) };
  return { problems: own(result.problems) };
}

/** What is outside of the config. */
interface Around extends FileAccess {
  readonly fileMode: FileMode;
  readonly now: number;
  readonly hasAcmeClient: () => boolean;
}

function aroundOf(baseDir: string, given: Pick<LoadInput, 'readFile' | 'fileMode' | 'now' | 'hasAcmeClient'>): Around {
  return {
    baseDir,
    readFile: given.readFile,
    fileMode: given.fileMode ?? fileMode,
    now: given.now ?? Date.now(),
    hasAcmeClient: given.hasAcmeClient ?? hasAcmeClient,
  };
}

class Loader {
  readonly around: Around;
  private readonly file: string;
  private readonly source: SourceText | null;
  private readonly problems: Pending[] = [];
  /** Of a list that is a file of its own. */
  private readonly list: { readonly outerRoutes: ReadonlySet<string> | null } | null;
  /** Lines whose syntax was at fault: what the schema says about them is an echo. */
  private quietLines: ReadonlySet<number | null> = new Set();

  constructor(file: string, source: SourceText | null, around: Around, list: Loader['list'] = null) {
    this.file = file;
    this.list = list;
    this.source = source;
    this.around = around;
  }

  problem(severity: Problem['severity'], start: number, path: PathSegments, message: string): void {
    this.add(severity, start, path, () => message);
  }

  load(tree: Tree): LoadResult {
    this.quietLines = new Set(this.problems.filter(({ path }) => path === '').map(({ line }) => line));
    const value = withoutEmptyBlocks(plainValue(tree));
    doubleBroughtBraces(value, tree);
    const parsed = parseRepairing(value, tree, ({ path, message, at }) => this.found('error', tree, path, message, at));
    if (parsed === null) return { problems: this.sorted() };
    checkSecrets(parsed, tree, (path, message) => this.addAt('error', tree, path, 'value', () => message));
    const isFaulty = faultyPaths(this.problems);
    checkConfig(parsed, { ...writtenNames(parsed, tree), isFaulty }, (severity, path, message, at = 'value') => {
      // What was built on a faulty part would only say the same again.
      if (!isFaulty(path)) this.found(severity, tree, path, () => message, at);
    });
    const tls = loadAllTls(parsed, {
      ...this.around,
      isFaulty,
      secretFileOf: (path) => secretFileAt(tree, path),
      // None of these messages shows what a file holds.
      report: (severity, path, message) => {
        if (!isBroken(tree, path)) this.addAt(severity, tree, path, 'value', () => message);
      },
    });
    const routes = this.list === null ? routeNames(parsed, tree, isFaulty) : this.list.outerRoutes;
    const auth = loadAuth(parsed, {
      ...this.around,
      routes,
      isFaulty,
      // None of these messages shows what a file holds.
      report: (severity, path, message) => {
        if (!isBroken(tree, path)) this.addAt(severity, tree, path, 'value', () => message);
      },
      entriesOf: (kind, file, path) =>
        // Problems in it would show a name that is not to be shown.
        isFaulty([...path, 'file'])
          ? null
          : this.entriesOf(kind, file, routes, (message) => this.found('error', tree, path, () => message, 'value')),
    });
    const lists = this.lists(parsed, tree);
    if (this.problems.some((problem) => problem.severity === 'error')) return { problems: this.sorted() };
    const secrets = new Set(withInherited([...secretPaths(tree)].map(pathText), parsed));
    const origin: Origin = {
      given: new Set(givenPaths(tree, [])),
      secrets,
      files: new Map([...tls.files, ...auth.files]),
    };
    return {
      config: buildConfig(parsed, { baseDir: this.around.baseDir, origin, tls, auth, lists }),
      warnings: this.sorted(),
    };
  }

  /** By position, which is how a person works through them: all, or the first of too many and how many more. */
  sorted(): readonly Problem[] {
    const own = this.problems.filter(({ file }) => file === this.file);
    const others = this.problems.filter(({ file }) => file !== this.file);
    const { shown, left } = listed([...own.sort(inOrder), ...others.sort(inOrder)]);
    const problems = shown.map(({ message, ...place }) => ({ ...place, message: message() }));
    const last = problems.at(-1);
    if (left.length === 0 || last === undefined) return problems;
    const severity = left.some((problem) => problem.severity === 'error') ? 'error' : 'warning';
    const message = `and ${left.length} more problem${left.length === 1 ? '' : 's'}, not listed`;
    return [...problems, { ...last, severity, path: '', message }];
  }

  private add(severity: Problem['severity'], start: number, path: PathSegments, message: () => string): void {
    const { line, column } = this.source?.position(Math.max(0, start)) ?? { line: null, column: null };
    this.problems.push({ severity, file: this.file, line, column, path: pathText(path), message });
  }

  private found(
    severity: Problem['severity'],
    tree: Tree,
    path: PathSegments,
    message: () => string,
    at: 'key' | 'value',
  ): void {
    if (isBroken(tree, path)) return;
    const node = nodeAt(tree, path);
    let told = message;
    if (node?.kind === 'scalar' && node.secret && at === 'value')
      told = () => 'the text of this file is not what this key takes';
    if (node?.kind === 'scalar' && node.value === null) told = () => this.emptyMessage(node.start);
    this.addAt(severity, tree, path, at, told);
  }

  private addAt(
    severity: Problem['severity'],
    tree: Tree,
    path: PathSegments,
    at: 'key' | 'value',
    message: () => string,
  ): void {
    const start = offsetOf(tree, path, at);
    if (this.source !== null && this.quietLines.has(this.source.position(start).line)) return;
    this.add(severity, start, path, message);
  }

  private emptyMessage(start: number): string {
    const line = this.source?.line(Math.max(0, start));
    const rest = line?.text.slice(start - line.start) ?? '';
    return /^[^#]*:?\s#\S/.test(rest)
      ? 'needs a value, and an unquoted # begins a comment: quote this value'
      : 'needs a value';
  }

  private entriesOf<K extends keyof EntryLists>(
    kind: K,
    file: string,
    routes: ReadonlySet<string> | null,
    report: (message: string) => void,
  ): EntryLists[K] | null {
    const bytes = readBytes(file, this.around, LIST_BYTES_MAX, YAML_WEIGHT);
    if ('problem' in bytes) {
      report(bytes.problem);
      return null;
    }
    const path = resolvePath(this.around.baseDir, file);
    const result = loadList({ ...this.around, text: bytes.value, file: path, env: {} }, ENTRIES[kind], routes);
    const problems = 'problems' in result ? result.problems : result.warnings;
    for (const { message, ...place } of problems) this.problems.push({ ...place, message: () => message });
    if ('problems' in result) return null;
    const method = result.config.auth[OWNER];
    const entries = method?.kind === 'api_key' ? method.keys : method?.kind === 'basic' ? method.users : [];
    return entries as EntryLists[K]; // of the kind that was asked for
  }

  private lists(parsed: ParsedConfig, tree: Tree): AddressLists {
    const lists = new AddressLists(this.around);
    for (const listed of addressListsOf(parsed)) {
      const { path, input } = listed;
      const at = 'file' in input ? [...path, 'file'] : path;
      const list = lists.add(listed, (message) => this.found('error', tree, at, () => message, 'value'));
      if (listed.words.includes(UNIX) && 'file' in input && hasEverybody(list))
        this.found('warning', tree, at, () => EVERYBODY, 'value');
    }
    return lists;
  }
}

function* givenPaths(tree: Tree, path: PathSegments): Generator<string> {
  if (path.length > 0) yield pathText(path);
  if (tree.kind === 'list') for (const [index, item] of tree.items.entries()) yield* givenPaths(item, [...path, index]);
  if (tree.kind === 'map') for (const [key, entry] of tree.entries) yield* givenPaths(entry.node, [...path, key]);
}
