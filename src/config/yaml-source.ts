// Turns YAML text into the tree that the schema judges, with the position of every key and value.
// Hostile text ends as problems with positions: nothing here may throw, unfold without bound, or nest without bound.

import type { CST, YAMLMap } from 'yaml';
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  type Pair,
  Parser,
  type Scalar as YamlScalar,
} from 'yaml';
import type { PathSegments } from './problems.ts';
import { fileSecret, type TreeAccess } from './secret-file.ts';
import type { SourceText } from './source-text.ts';
import { type Environment, isDecimal, substitute, typed } from './substitute.ts';
import { DEPTH_MAX, type Entry, keyProblem, NODES_MAX, type Report, type Scalar, type Tree } from './tree.ts';
import { yamlFault } from './yaml-faults.ts';

interface YamlContext extends TreeAccess {
  readonly env: Environment;
  readonly report: Report;
}

const COLLECTIONS: ReadonlySet<string> = new Set(['block-map', 'block-seq', 'flow-collection']);
/** Faults after another one that only say that the parser lost its way. */
const ECHO = /token in YAML stream/;

/** How far before its value a tag is looked for. */
const TAG_LENGTH_MAX = 200;

/** Faults of syntax after which the rest of the text is not read. */
const FAULTS_MAX = 100;
/**
 * Marks of YAML in one text: a value has at most four, its key, a colon, itself and a dash or comma. The library makes
 * nodes, and errors, of each, and takes minutes for what one MiB of them can come to.
 */
const MARKS_MAX = 4 * NODES_MAX;
/** Characters that all replacements of one config may come to. */
const REPLACED_MAX = 4 * 1024 * 1024;

const TOO_DEEP = `nested more than ${DEPTH_MAX} levels deep`;
const QUOTE = 'quote this value';

/** The tree, or null when the text is not YAML we take; then at least one problem was reported. */
export function yamlTree(source: SourceText, context: YamlContext): Tree | null {
  const document = compose(source, context.report);
  if (document === null) return null;
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null))
    return { kind: 'map', start: 0, entries: new Map() };
  const reader = new YamlReader(context, source.text);
  const tree = reader.read(contents, [], 1);
  return reader.isOver ? null : tree;
}

function compose(source: SourceText, report: Report): Document | null {
  const tokens = parse(source.text, report);
  if (tokens === null) return null;
  const wrong = tokens.filter((token) => token.type === 'directive');
  for (const token of wrong) report(token.offset, [], 'directives (%YAML, %TAG) are refused');
  const second = tokens.filter((token) => token.type === 'document')[1];
  if (second !== undefined) report(second.offset, [], 'a second document: a config is one document');
  if (wrong.length > 0 || second !== undefined) return null;
  // uniqueKeys compares every key with every other; our own map does it in one look-up.
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    uniqueKeys: false,
    merge: false,
    logLevel: 'silent',
  });
  const [document] = [...composer.compose(tokens, true, source.text.length)];
  if (document === undefined) return null;
  return reportFaults(document, source, report) ? null : document;
}

/** True when the text is too broken for its tree to mean anything. */
function reportFaults(document: Document, source: SourceText, report: Report): boolean {
  // Each fault looks for its place in its line, and all can stand in one.
  let lost = document.errors.length > FAULTS_MAX;
  let lastLine = -1;
  for (const [index, error] of document.errors.slice(0, FAULTS_MAX).entries()) {
    const fault = yamlFault(error, source);
    lost ||= !fault.unquoted;
    const { line } = source.position(fault.offset);
    // What follows on the line of a fault is its echo.
    if (line === lastLine || (index > 0 && ECHO.test(error.message))) continue;
    lastLine = line;
    report(fault.offset, [], fault.message);
  }
  return lost;
}

/** The parser takes one lexeme at a time, so that nesting is seen before it costs anything. */
function parse(text: string, report: Report): CST.Token[] | null {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let faults = 0;
  let marks = 0;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
      if (token.type === 'error') faults += 1;
    }
    // Text that is no YAML at all: the first faults say so.
    if (faults > FAULTS_MAX) return tokens;
    if (isMark(lexeme)) marks += 1;
    if (marks > MARKS_MAX) {
      report(parser.offset - lexeme.length, [], `more than ${NODES_MAX} values`);
      return null;
    }
    if (parser.stack.length <= DEPTH_MAX) continue;
    const collections = parser.stack.filter((token) => COLLECTIONS.has(token.type));
    const last = collections[DEPTH_MAX];
    if (last !== undefined) {
      report(last.offset, [], TOO_DEEP);
      return null;
    }
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

/** No blanks, line ends and comments, and none of the control characters that the lexer puts between lexemes. */
function isMark(lexeme: string): boolean {
  return lexeme.charCodeAt(0) > 0x20 && !lexeme.startsWith('#');
}

class YamlReader {
  private readonly context: YamlContext;
  /** The last node of each anchor so far, as YAML 1.2 7.1 has it. */
  private readonly anchors = new Map<string, unknown>();
  /** The collections around the node at work: an alias to one of them would never end. */
  private readonly open = new Set<unknown>();
  private readonly source: string;
  private nodes = 0;
  private replacedLength = 0;

  constructor(context: YamlContext, source: string) {
    this.context = context;
    this.source = source;
  }

  /** There were more values than a config may have: what was read is not all of it. */
  get isOver(): boolean {
    return this.nodes > NODES_MAX;
  }

  read(node: unknown, path: PathSegments, depth: number, aliasStart = -1): Tree {
    this.nodes += 1;
    if (this.nodes > NODES_MAX) return this.overflow(node, path, aliasStart);
    if (isAlias(node)) return this.alias(node.source, startOf(node), path, depth);
    if (!isScalar(node) && !isMap(node) && !isSeq(node)) return { kind: 'broken', start: Math.max(0, aliasStart) };
    if (node.anchor !== undefined) this.anchors.set(node.anchor, node);
    const start = startOf(node);
    if (node.tag !== undefined && aliasStart === -1) return this.tagged(start, path);
    if (isScalar(node)) return this.scalar(node, start, path);
    if (depth > DEPTH_MAX) return this.broken(start, path, TOO_DEEP);
    this.open.add(node);
    const tree = isMap(node) ? this.map(node, start, path, depth) : this.list(node.items, start, path, depth);
    this.open.delete(node);
    return tree;
  }

  private tagged(start: number, path: PathSegments): Tree {
    const tag = /!\S*\s*$/.exec(this.source.slice(Math.max(0, start - TAG_LENGTH_MAX), start))?.[0] ?? '';
    return this.broken(start - tag.length, path, `a YAML tag is refused: ${QUOTE}`);
  }

  private list(nodes: readonly unknown[], start: number, path: PathSegments, depth: number): Tree {
    return { kind: 'list', start, items: nodes.map((item, index) => this.read(item, [...path, index], depth + 1)) };
  }

  private map(map: YAMLMap, start: number, path: PathSegments, depth: number): Tree {
    const entries = new Map<string, Entry>();
    for (const pair of map.items) {
      const key = this.key(pair, start, path);
      if (key === null) continue;
      const at = [...path, key];
      const keyStart = startOf(pair.key);
      const first = entries.get(key);
      const refused = first === undefined ? keyProblem(key) : 'duplicate key';
      if (refused === null) entries.set(key, { keyStart, node: this.value(pair, keyStart, at, depth) });
      else this.context.report(keyStart, at, refused);
    }
    const { report } = this.context;
    return fileSecret(entries, start, path, this.context, report) ?? { kind: 'map', start, entries };
  }

  private value(pair: Pair, keyStart: number, path: PathSegments, depth: number): Tree {
    const { value } = pair;
    const isEmpty = value === null || (isScalar(value) && value.value === null && (value.source ?? '') === '');
    // Nothing at all has no place of its own: the key stands for it.
    if (!isEmpty || (isScalar(value) && value.tag !== undefined)) return this.read(value, path, depth + 1);
    return { kind: 'scalar', start: keyStart, value: null, text: null, secret: false };
  }

  private key(pair: Pair, mapStart: number, path: PathSegments): string | null {
    const { key } = pair;
    if (!isScalar(key)) {
      this.context.report(key === null ? mapStart : startOf(key), path, 'a key is plain text');
      return null;
    }
    const text = typeof key.value === 'string' ? key.value : (key.source ?? '');
    if (key.anchor !== undefined || key.tag !== undefined) {
      this.context.report(startOf(key), [...path, text], 'a key has neither anchor nor tag');
      return null;
    }
    if (text === '<<' && key.type === 'PLAIN') {
      this.context.report(startOf(key), [...path, text], 'merge keys are refused: write the keys out');
      return null;
    }
    return text;
  }

  private alias(name: string, start: number, path: PathSegments, depth: number): Tree {
    const target = this.anchors.get(name);
    if (target === undefined)
      return this.broken(start, path, `an unquoted "*" refers to an anchor, and there is none: ${QUOTE}`);
    if (this.open.has(target)) return this.broken(start, path, 'an alias inside its own anchor never ends');
    return this.read(target, path, depth, start);
  }

  private scalar(node: YamlScalar, start: number, path: PathSegments): Tree {
    const { value } = node;
    if (typeof value === 'string') return this.text(value, start, path);
    if (typeof value === 'number' && !isDecimal(node.source ?? '')) {
      return this.broken(start, path, `not everybody reads this number alike: write decimal digits, or ${QUOTE}`);
    }
    const known = typeof value === 'number' || typeof value === 'boolean' ? value : null;
    return { kind: 'scalar', start, value: known, text: null, secret: false };
  }

  private text(text: string, start: number, path: PathSegments): Tree {
    const result = substitute(text, this.context.env);
    if (result === null) return { kind: 'scalar', start, value: text, text: null, secret: false };
    if ('problem' in result) return this.broken(start, path, result.problem);
    const replaced = result.value;
    const before = this.replacedLength;
    this.replacedLength += replaced.text.length;
    if (this.replacedLength > REPLACED_MAX) {
      if (before <= REPLACED_MAX) return this.broken(start, path, 'over 4MiB of text came from the environment');
      return { kind: 'broken', start };
    }
    const value: Scalar = replaced.whole ? typed(replaced.text) : replaced.text;
    return { kind: 'scalar', start, value, text: replaced.text, brought: replaced.brought, secret: false };
  }

  private overflow(node: unknown, path: PathSegments, aliasStart: number): Tree {
    const start = aliasStart === -1 ? startOf(node) : aliasStart;
    // Reported once, at the value that crossed the cap.
    if (this.nodes > NODES_MAX + 1) return { kind: 'broken', start };
    return this.broken(start, path, `more than ${NODES_MAX} values, what aliases stand for included`);
  }

  private broken(start: number, path: PathSegments, message: string): Tree {
    this.context.report(start, path, message);
    return { kind: 'broken', start };
  }
}

function startOf(node: unknown): number {
  if (!isAlias(node) && !isScalar(node) && !isMap(node) && !isSeq(node)) return 0;
  return node.range?.[0] ?? 0;
}
