// Turns a plain JavaScript object into the tree that the schema judges; for users of the library.
// It trusts nothing: prototypes, getters that throw, cycles and foreign types end as problems.

import type { PathSegments } from './problems.ts';
import { fileSecret, type TreeAccess } from './secret-file.ts';
import { DEPTH_MAX, type Entry, keyProblem, NODES_MAX, type Report, type Tree } from './tree.ts';

export function objectTree(input: unknown, report: Report, access: TreeAccess): Tree {
  try {
    return new ObjectReader(report, access).read(input, [], 1);
  } catch {
    // A proxy object can throw whenever it is looked at.
    report(-1, [], 'this object cannot be read');
    return { kind: 'broken', start: -1 };
  }
}

class ObjectReader {
  private readonly report: Report;
  private readonly access: TreeAccess;
  private nodes = 0;

  constructor(report: Report, access: TreeAccess) {
    this.report = report;
    this.access = access;
  }

  read(value: unknown, path: PathSegments, depth: number): Tree {
    this.nodes += 1;
    // Reported once, at the value that crossed the cap; everything after it is left out.
    if (this.nodes > NODES_MAX) return this.broken(path, `more than ${NODES_MAX} values`, this.nodes === NODES_MAX + 1);
    if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') {
      return { kind: 'scalar', start: -1, value, text: null, secret: false };
    }
    if (typeof value !== 'object') return this.broken(path, `a ${typeof value} is no config value`);
    if (depth > DEPTH_MAX) return this.broken(path, `nested more than ${DEPTH_MAX} levels deep`);
    if (Array.isArray(value)) {
      if (value.length > NODES_MAX - this.nodes) return this.broken(path, `more than ${NODES_MAX} values`);
      const items = Array.from(value, (item, index) => this.read(item, [...path, index], depth + 1));
      return { kind: 'list', start: -1, items };
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null)
      return this.broken(path, 'expected plain data, found an instance');
    return this.map(value, path, depth);
  }

  private map(value: object, path: PathSegments, depth: number): Tree {
    const entries = new Map<string, Entry>();
    for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
      const at = [...path, key];
      if (!('value' in descriptor)) this.report(-1, at, 'expected plain data, found a getter');
      const refused = keyProblem(key);
      if (refused !== null) this.report(-1, at, refused);
      if (refused !== null || !('value' in descriptor) || descriptor.value === undefined) continue;
      entries.set(key, { keyStart: -1, node: this.read(descriptor.value, at, depth + 1) });
    }
    return fileSecret(entries, -1, path, this.access, this.report) ?? { kind: 'map', start: -1, entries };
  }

  private broken(path: PathSegments, message: string, tell = true): Tree {
    if (tell) this.report(-1, path, message);
    return { kind: 'broken', start: -1 };
  }
}
