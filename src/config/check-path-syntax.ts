// Owns the warnings about paths in the syntax of other programs, which are taken letter by letter here. It must not
// judge paths that are meant as they stand.

import type { CrossReport } from './cross-report.ts';
import type { ParsedConfig } from './types.ts';

const COLON_NAME = /^:([A-Za-z_][A-Za-z0-9_-]*)$/;
/** `$` begins names of some APIs, such as /$metadata: only at the end it looks like an anchor. */
const EXPRESSION = /\(.*\)|\||\$$/;

export function checkPathSyntax({ routes }: ParsedConfig, report: CrossReport): void {
  for (const [index, { match }] of routes.entries()) {
    const literals = match.path.segments.flatMap((segment) => (segment.kind === 'literal' ? [segment.text] : []));
    const message = literals.map(warningOf).find((one) => one !== null);
    if (message !== undefined && message !== null) report('warning', ['routes', index, 'match', 'path'], message);
  }
}

function warningOf(literal: string): string | null {
  const [, name] = COLON_NAME.exec(literal) ?? [];
  if (name !== undefined) return `":${name}" is taken as it stands: {${name}} is any segment`;
  return EXPRESSION.test(literal) ? 'is taken as it stands: there are no regular expressions here' : null;
}
