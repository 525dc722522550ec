// Owns what a certificate that framegate gets by itself is loaded as: the authorities of its directory, and what it is
// called where it is kept.

import { createHash } from 'node:crypto';
import type { CrossReport } from './cross-report.ts';
import type { PathSegments } from './problems.ts';
import { type FileAccess, resolvePath } from './substitute.ts';
import { loadTls } from './tls-files.ts';
import type { AcmeCertificate, ParsedConfig } from './types.ts';

type ParsedAcme = NonNullable<NonNullable<ParsedConfig['listeners'][number]['tls']>['certificates'][number]['acme']>;

interface AcmeAround extends FileAccess {
  readonly report: CrossReport;
}

const ID_LENGTH = 16;

/** `path` is that of the certificate. */
export function loadAcme(
  { agree: _, ...acme }: ParsedAcme,
  position: number,
  path: PathSegments,
  around: AcmeAround,
): AcmeCertificate {
  const { email = null, tls, dir, eab = null } = acme;
  const report = (key: string, message: string) => around.report('error', [...path, 'acme', 'tls', key], message);
  return {
    ...acme,
    position,
    id: idOf(acme),
    email,
    tls: tls?.ca === undefined ? null : loadTls({ ca: tls.ca, verify: true }, { ...around, report }),
    dir: dir === undefined ? null : resolvePath(around.baseDir, dir),
    dir_text: dir ?? null,
    eab,
  };
}

/** The first domain is for people. It has no character that a file's name could not have. */
function idOf({ directory, domains, key }: Pick<ParsedAcme, 'directory' | 'domains' | 'key'>): string {
  const { authority, path } = directory;
  const hash = createHash('sha256').update(JSON.stringify([authority, path, [...domains].sort(), key]));
  return `${domains[0]}-${hash.digest('hex').slice(0, ID_LENGTH)}`;
}
