// Owns what a loaded config does not hold itself and is kept beside it: which keys were given, which texts came from
// files, and what files were called.

import { pathText } from './problems.ts';
import type { Config, ParsedConfig } from './types.ts';

export interface Origin {
  /** Paths of all keys that the config named. */
  readonly given: ReadonlySet<string>;
  /** Paths whose text came through `{file: path}`. */
  readonly secrets: ReadonlySet<string>;
  /** Text of keys that hold file names, by path: the Config has the contents. */
  readonly files: ReadonlyMap<string, string>;
}

const ORIGIN = Symbol('framegate.config.origin');
const NO_ORIGIN: Origin = { given: new Set(), secrets: new Set(), files: new Map() };

/** `config` itself, not frozen yet. */
export function withOrigin(config: Config, origin: Origin): Config {
  return Object.defineProperty(config, ORIGIN, { value: origin });
}

export function originOf(config: Config): Origin {
  // A symbol of this module: only buildConfig sets it, and always to an Origin.
  return (config as Config & { readonly [ORIGIN]?: Origin })[ORIGIN] ?? NO_ORIGIN;
}

/** `paths` of secrets, and where else they stand once routes have taken over what `defaults` says. */
export function* withInherited(paths: readonly string[], { defaults, routes }: ParsedConfig): Generator<string> {
  yield* paths;
  for (const way of ['request', 'response'] as const) {
    const names = Object.keys(defaults.headers[way]?.set ?? {});
    const ends = names.map((name) => ['headers', way, 'set', name]);
    const secret = ends.filter((end) => paths.includes(pathText(['defaults', ...end])));
    for (const [index, { headers }] of secret.length === 0 ? [] : routes.entries()) {
      if (headers?.[way] === undefined) for (const end of secret) yield pathText(['routes', index, ...end]);
    }
  }
}

/** True when the config named this key (`limits.max_sessions`) and did not leave it to its default. */
export function wasGiven(config: Config, path: string): boolean {
  return originOf(config).given.has(path);
}
