// Owns what `{file: path}` may not stand for: names, and what is shown wherever a name is. No name is ever made of a
// text that came from a file, so a URL from one needs a name beside it. It shows none of these texts itself.

import { addressListsOf } from './address-lists.ts';
import { checkAuthSecrets } from './check-auth-secrets.ts';
import type { PathSegments } from './problems.ts';
import { nodeAt, type Tree } from './tree.ts';
import type { ParsedConfig } from './types.ts';

const LISTS = ['origins', 'subprotocols'] as const;

type Report = (path: PathSegments, message: string) => void;

const SHOWN = 'is shown in logs and metrics: write it here, not in a file';
const WHOLE_LIST = 'a file stands for the whole list: write {file: path} in its place';
const NEEDS_NAME = 'is required: the url comes from a file, and no name is made of what a file holds';
const NEEDS_UPSTREAM =
  'comes from a file, and no name is made of what a file holds: write "upstream: NAME" here and ' +
  'NAME: { targets: [{ name: a, url: { file: ... } }] } in upstreams';

export function checkSecrets(parsed: ParsedConfig, tree: Tree, report: Report): void {
  const isSecret = (path: PathSegments): boolean => isSecretAt(tree, path);
  const shown = (...path: PathSegments): void => {
    if (isSecret(path)) report(path, SHOWN);
  };
  const shownEach = (items: unknown, ...path: PathSegments): void => {
    if (Array.isArray(items)) for (const index of items.keys()) shown(...path, index);
  };
  checkAuthSecrets(parsed, { one: shown, each: shownEach });
  for (const { path, input } of addressListsOf(parsed)) {
    if ('file' in input) shown(...path, 'file');
    else for (const index of input.keys()) if (isSecret([...path, index])) report([...path, index], WHOLE_LIST);
  }
  shown('client_ip_from');
  for (const index of parsed.listeners.keys()) {
    shown('listeners', index, 'client_ip_from');
    shown('listeners', index, 'name');
    shown('listeners', index, 'address');
    for (const [at, { acme }] of (parsed.listeners[index]?.tls?.certificates ?? []).entries())
      shownEach(acme?.domains, 'listeners', index, 'tls', 'certificates', at, 'acme', 'domains');
  }
  shown('admin', 'address');
  for (const key of LISTS) shownEach(parsed.defaults[key], 'defaults', key);
  for (const [index, route] of parsed.routes.entries()) {
    const { match } = route;
    shown('routes', index, 'name');
    shown('routes', index, 'match', 'path');
    shownEach(match.hosts, 'routes', index, 'match', 'hosts');
    shownEach(match.listeners, 'routes', index, 'match', 'listeners');
    for (const key of LISTS) shownEach(route[key], 'routes', index, key);
    for (const key of ['upstream', 'http'] as const) {
      const at = ['routes', index, key];
      if (isSecret(at) && route[key]?.includes(':') === true) report(at, NEEDS_UPSTREAM);
    }
  }
  for (const [name, { targets }] of Object.entries(parsed.upstreams)) {
    for (const [index, target] of targets.entries()) {
      const at = ['upstreams', name, 'targets', index];
      shown(...at, 'name');
      if (isSecret([...at, 'url']) && target.name === undefined) report([...at, 'name'], NEEDS_NAME);
    }
  }
}

export function isSecretAt(tree: Tree, path: PathSegments): boolean {
  const node = nodeAt(tree, path);
  return node?.kind === 'scalar' && node.secret;
}
