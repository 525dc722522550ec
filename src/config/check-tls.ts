// Owns the checks of tls blocks of listeners: keys that need each other, and what has no effect.

import type { CrossReport } from './cross-report.ts';
import type { PathSegments } from './problems.ts';
import { printText } from './texts.ts';
import type { ParsedConfig } from './types.ts';

type ParsedTls = NonNullable<ParsedConfig['listeners'][number]['tls']>;

export function checkTls(config: ParsedConfig, report: CrossReport): void {
  for (const [index, { tls }] of config.listeners.entries()) {
    if (tls !== undefined) checkBlock(tls, ['listeners', index, 'tls'], report);
  }
}

function checkBlock(tls: ParsedTls, path: PathSegments, report: CrossReport): void {
  if (tls.client_auth === 'none') {
    for (const key of ['client_ca', 'client_crl'] as const) {
      if (tls[key] != null) report('warning', [...path, key], 'has no effect: client_auth is none');
    }
  } else if (tls.client_ca === undefined) {
    report('error', [...path, 'client_auth'], 'needs client_ca: whose certificates are good');
  }
  const ofOldVersion = tls.ciphers !== undefined && !/(?:^|:)TLS_/.test(printText('ciphers', tls.ciphers));
  if (tls.min_version === 'TLSv1.3' && ofOldVersion)
    report('warning', [...path, 'ciphers'], 'has no effect: these are ciphers of TLSv1.2, and min_version is TLSv1.3');
}
