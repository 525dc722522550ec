// Where things are declared, by the names that stay when code moves: `Class.member`, or a function, constant or
// class at the top of a file.

import { isNode, parse, type SourceFile, type SyntaxNode } from './source.ts';

/** What one name stands for in one file: `[start, end)` of its text. */
export interface Place {
  readonly file: SourceFile;
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Every place by its name; a name may have several, in one file (a getter and its setter) or in more. */
export class Places {
  private readonly byName = new Map<string, Place[]>();

  constructor(files: readonly SourceFile[]) {
    for (const place of files.flatMap(placesIn)) {
      const known = this.byName.get(place.name);
      if (known === undefined) this.byName.set(place.name, [place]);
      else known.push(place);
    }
  }

  named(name: string): readonly Place[] {
    return this.byName.get(name) ?? [];
  }
}

export function placesIn(file: SourceFile): Place[] {
  return [parse(file).body]
    .flat()
    .filter(isNode)
    .flatMap((statement) => declaredBy(statement, file));
}

function declaredBy(statement: SyntaxNode, file: SourceFile): Place[] {
  const declaration = isNode(statement.declaration) ? statement.declaration : statement;
  const place = (name: string): Place => ({ file, name, start: statement.start, end: statement.end });
  switch (declaration.type) {
    case 'FunctionDeclaration':
    case 'TSInterfaceDeclaration':
    case 'TSTypeAliasDeclaration':
      return [place(nameOf(declaration.id))];
    case 'VariableDeclaration':
      return [declaration.declarations]
        .flat()
        .filter(isNode)
        .map((one) => place(nameOf(one.id)));
    case 'ClassDeclaration':
      return [place(nameOf(declaration.id)), ...membersOf(declaration, file)];
    default:
      return [];
  }
}

function membersOf(declaration: SyntaxNode, file: SourceFile): Place[] {
  const body = isNode(declaration.body) ? declaration.body.body : [];
  const members = [body].flat().filter(isNode);
  return members.map(({ key, start, end }) => ({
    file,
    name: `${nameOf(declaration.id)}.${nameOf(key)}`,
    start,
    end,
  }));
}

function nameOf(node: unknown): string {
  return isNode(node) ? String(node.name ?? node.value ?? '') : '';
}

/** `Interface.member`, and `Name.Key` of a constant that is an object. */
export function membersIn(file: SourceFile): string[] {
  return [parse(file).body].flat().filter(isNode).flatMap(keyedBy);
}

function keyedBy(statement: SyntaxNode): string[] {
  const declaration = isNode(statement.declaration) ? statement.declaration : statement;
  const within = (owner: unknown, keyed: unknown): string[] =>
    [keyed].flat().flatMap((one) => (isNode(one) && isNode(one.key) ? [`${nameOf(owner)}.${nameOf(one.key)}`] : []));
  if (declaration.type === 'TSInterfaceDeclaration') {
    return isNode(declaration.body) ? within(declaration.id, declaration.body.body) : [];
  }
  if (declaration.type !== 'VariableDeclaration') return [];
  return [declaration.declarations].flat().flatMap((one) => {
    if (!isNode(one)) return [];
    // Behind `as const`.
    let value = one.init;
    while (isNode(value) && isNode(value.expression)) value = value.expression;
    return isNode(value) && value.type === 'ObjectExpression' ? within(one.id, value.properties) : [];
  });
}
