// Owns the checks of the methods of `auth`, and of the lists that name them. It must not read files.

import { printable } from './addresses.ts';
import {
  ANONYMOUS,
  areApart,
  decodeOf,
  type Methods,
  meet,
  type ParsedMethod,
  placesOf,
  placeText,
  soundMethods,
} from './auth-places.ts';
import { checkMethod } from './check-auth-methods.ts';
import { checkAuthRoutes } from './check-auth-routes.ts';
import { checkTwice } from './check-names.ts';
import type { CrossReport, Written } from './cross-report.ts';
import type { PathSegments } from './problems.ts';
import { didYouMean } from './suggest.ts';
import type { ParsedConfig } from './types.ts';

/** Of one route: each handshake may have to go through all of them. */
const METHODS_MAX = 16;
/** Pairs of places that are compared, in all: a config of a hostile size is not worth more. */
const STEPS_MAX = 2_000_000;

export function checkAuth(config: ParsedConfig, written: Written, report: CrossReport): void {
  const { auth, defaults, routes } = config;
  const methods = soundMethods(config, written);
  const pairs = new Pairs(methods);
  if (Object.hasOwn(auth, ANONYMOUS)) report('error', ['auth', ANONYMOUS], 'anonymous is no method: another name');
  const lists = [
    { own: defaults.auth, path: ['defaults', 'auth'] },
    ...routes.map(({ auth: own }, index) => ({ own: own ?? [], path: ['routes', index, 'auth'] })),
  ];
  for (const { own, path } of lists) {
    if (own.length > METHODS_MAX) {
      report('error', [...path, METHODS_MAX], `at most ${METHODS_MAX} methods are tried for one handshake`);
      continue;
    }
    checkNames(own, path, written.methods, report);
    checkOrder(own, path, methods, report);
    checkKinds(own, path, pairs, report);
  }
  const used = new Set(lists.flatMap(({ own }) => own));
  for (const [name, method] of Object.entries(auth)) {
    if (!used.has(name)) report('warning', ['auth', name], 'no route uses this method');
    checkMethod(method, ['auth', name], written, report);
  }
  checkAuthRoutes(config, methods, written, report);
}

function checkNames(own: readonly string[], path: PathSegments, names: ReadonlySet<string>, report: CrossReport): void {
  checkTwice(own, path, report);
  for (const [at, name] of own.entries()) {
    const isLast = at === own.length - 1;
    if (name === ANONYMOUS && isLast && at > 0) continue;
    if (name === ANONYMOUS)
      report('error', [...path, at], 'anonymous stands behind all methods, and not alone: an open route has []');
    else if (!names.has(name))
      report('error', [...path, at], `there is no method "${printable(name)}"${hintFor(name, names)}`);
  }
}

function hintFor(name: string, names: ReadonlySet<string>): string {
  return /^(?:none|off)$/.test(name) ? ': an open route has []' : didYouMean(name, names);
}

/** `forward` finds something in every request. */
function checkOrder(own: readonly string[], path: PathSegments, methods: Methods, report: CrossReport): void {
  const at = own.findIndex((name) => methods.get(name)?.forward !== undefined);
  if (at === -1 || at === own.length - 1) return;
  const behind = own[at + 1] ?? '';
  if (behind === ANONYMOUS)
    report('warning', [...path, at + 1], 'has no effect: forward is asked about those who brought nothing, too');
  else report('error', [...path, at], `is asked about every request, so it stands last: behind "${printable(behind)}"`);
}

/** Two methods that read one place need kinds that can be told apart there. */
function checkKinds(own: readonly string[], path: PathSegments, pairs: Pairs, report: CrossReport): void {
  for (const [at, name] of own.entries()) {
    for (const other of own.slice(0, at)) {
      const conflict = other === name ? null : pairs.conflictOf(other, name);
      if (conflict === null) continue;
      report('error', [...path, at], conflict);
      break;
    }
  }
}

/** Each two methods are compared once, however many routes have them. */
class Pairs {
  private readonly methods: Methods;
  private readonly known = new Map<string, string | null>();
  private steps = STEPS_MAX;

  constructor(methods: Methods) {
    this.methods = methods;
  }

  /** What is wrong with `name` behind `other`. */
  conflictOf(other: string, name: string): string | null {
    const key = `${other} ${name}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const [before, method] = [this.methods.get(other), this.methods.get(name)];
    const conflict = before === undefined || method === undefined ? null : this.compare(before, method, other);
    this.known.set(key, conflict);
    return conflict;
  }

  private compare(before: ParsedMethod, method: ParsedMethod, name: string): string | null {
    const [places, others] = [placesOf(method), placesOf(before)];
    this.steps -= places.length * others.length;
    if (this.steps < 0) return null;
    const shared = places.find((place) => others.some((one) => meet(one, place)));
    if (shared === undefined) return null;
    const both = `reads ${printable(placeText(shared))} as "${printable(name)}" does`;
    if (!areApart(before, method)) return `${both}, and their kinds cannot be told apart`;
    // What is a token for one would be its code for the other.
    const isEntry = shared.kind === 'subprotocol_prefix';
    return isEntry && decodeOf(before) !== decodeOf(method) ? `${both}, and their decode is not the same` : null;
  }
}
