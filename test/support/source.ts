// The project's own sources as data: files, syntax trees and what tests about the code ask of them.

import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vitest/node';

/** The folder that holds package.json. */
export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

/** A file by its path from the project's root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

export interface Import {
  readonly specifier: string;
  /** By their names in the module that has them; null: it may be all of them. */
  readonly names: readonly string[] | null;
  readonly typeOnly: boolean;
  readonly line: number;
}

const skippedFolders: ReadonlySet<string> = new Set(['node_modules', 'dist', 'coverage', '.git']);

/** Every file below `folder` whose name fits, build output and dependencies left out. */
export function sourceFiles(folder: string, fits: RegExp): SourceFile[] {
  const found: SourceFile[] = [];
  const visit = (relative: string) => {
    for (const entry of readdirSync(path.join(projectRoot, relative), { withFileTypes: true })) {
      const name = relative === '' ? entry.name : `${relative}/${entry.name}`;
      if (entry.isDirectory() && !skippedFolders.has(entry.name)) visit(name);
      if (entry.isFile() && fits.test(entry.name)) {
        found.push({ path: name, text: readFileSync(path.join(projectRoot, name), 'utf8') });
      }
    }
  };
  visit(folder);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A file's tree is asked for by one rule after the other. */
const trees = new WeakMap<SourceFile, SyntaxNode>();

export function parse(file: SourceFile): SyntaxNode {
  const known = trees.get(file);
  if (known !== undefined) return known;
  const tree: unknown = parseAst(file.text, { lang: 'ts' });
  if (!isNode(tree)) throw new Error(`${file.path}: no syntax tree`);
  trees.set(file, tree);
  return tree;
}

/** Calls `visit` for every node below `node`, itself included, parents first. */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, parent: SyntaxNode | null) => void,
  parent: SyntaxNode | null = null,
): void {
  visit(node, parent);
  // No array of children: there are a million nodes, and rule after rule walks them all.
  for (const field in node) {
    const value = node[field];
    if (Array.isArray(value)) {
      for (const one of value) if (isNode(one)) walk(one, visit, node);
    } else if (isNode(value)) walk(value, visit, node);
  }
}

export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

/** Static imports, re-exports, `import()` and `import('...')` types. */
export function importsOf(file: SourceFile): Import[] {
  const imports: Import[] = [];
  walk(parse(file), (node) => {
    const specifier = specifierOf(node);
    if (specifier !== null) {
      const line = lineAt(file.text, node.start);
      imports.push({ specifier, names: namesOf(node), typeOnly: isTypeOnly(node), line });
    }
  });
  return imports;
}

/** The file that a relative import of `file` means, by its path from the project's root; null for a package. */
export function targetOf(file: SourceFile, { specifier }: Import): string | null {
  if (!specifier.startsWith('.')) return null;
  return path.posix.normalize(path.posix.join(path.posix.dirname(file.path), specifier));
}

/** The names that `file` exports itself, those of other modules that it passes on included. */
export function exportsOf(file: SourceFile): string[] {
  return [parse(file).body].flat().flatMap((statement) => {
    if (!isNode(statement) || statement.type !== 'ExportNamedDeclaration') return [];
    const { declaration } = statement;
    const declared = isNode(declaration) ? [declaration.declarations ?? declaration].flat().filter(isNode) : [];
    const named = [statement.specifiers].flat().filter(isNode);
    return [...declared.map((one) => nameOf(one.id)), ...named.map((one) => nameOf(one.exported))];
  });
}

function namesOf(node: SyntaxNode): string[] | null {
  if (node.type === 'TSImportType') return isNode(node.qualifier) ? [nameOf(node.qualifier)] : null;
  if (node.type !== 'ImportDeclaration' && node.type !== 'ExportNamedDeclaration') return null;
  const specifiers = [node.specifiers].flat().filter(isNode);
  if (specifiers.some((one) => one.type === 'ImportNamespaceSpecifier')) return null;
  return specifiers.map((one) => nameOf(one.type === 'ExportSpecifier' ? one.local : one.imported));
}

function nameOf(node: unknown): string {
  if (!isNode(node)) return '';
  // import('./x.ts').A.b is of A.
  return node.type === 'TSQualifiedName' ? nameOf(node.left) : String(node.name);
}

function specifierOf(node: SyntaxNode): string | null {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return isNode(node.source) ? String(node.source.value) : null;
    default:
      return null;
  }
}

function isTypeOnly(node: SyntaxNode): boolean {
  if (node.type === 'TSImportType' || node.importKind === 'type' || node.exportKind === 'type') return true;
  const names = [node.specifiers].flat().filter(isNode);
  return names.length > 0 && names.every((name) => name.importKind === 'type' || name.exportKind === 'type');
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
