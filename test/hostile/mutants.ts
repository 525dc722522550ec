// For each row of the README the smallest edit of the source that removes its rule. `npm run mutants` applies each
// alone and expects the tests of its row to fail: a rule that can be removed unseen is not tested.

import { ACCESS_MUTANTS } from './mutants-access.ts';
import { ADMISSION_MUTANTS } from './mutants-admission.ts';
import { AUTH_MUTANTS } from './mutants-auth.ts';
import { DESK_MUTANTS } from './mutants-desk.ts';
import { DISCOVERY_MUTANTS } from './mutants-discovery.ts';
import { FLEET_MUTANTS } from './mutants-fleet.ts';
import { HTTP_ACCESS_MUTANTS } from './mutants-http-access.ts';
import { HTTP_CONNECTION_MUTANTS } from './mutants-http-connection.ts';
import { HTTP_EXCHANGE_MUTANTS } from './mutants-http-exchange.ts';
import { HTTP_HEAD_MUTANTS } from './mutants-http-heads.ts';
import { OPERATIONS_MUTANTS } from './mutants-operations.ts';
import { ACME_MUTANTS } from './mutants-page-acme.ts';
import { PAGE_BROWSER_MUTANTS } from './mutants-page-browser.ts';
import { RECORD_MUTANTS } from './mutants-page-record.ts';
import { PAGE_SERVER_MUTANTS } from './mutants-page-server.ts';
import { PROCESS_MUTANTS } from './mutants-process.ts';
import { REQUEST_MUTANTS } from './mutants-request.ts';
import { RESTART_MUTANTS } from './mutants-restart.ts';
import { SESSION_MUTANTS } from './mutants-session.ts';
import { TLS_MUTANTS } from './mutants-tls.ts';
import { TOKEN_MUTANTS } from './mutants-tokens.ts';

export interface Mutant {
  readonly row: string;
  /** What holds the rule, wherever it stands in src/: `Class.member`, or a function, constant or class. */
  readonly at: string;
  /** Stands exactly once in it. */
  readonly search: string;
  readonly replace: string;
  /** What the edit takes away, where it does not show. */
  readonly why?: string;
}

export const MUTANTS: readonly Mutant[] = [
  ...REQUEST_MUTANTS,
  ...SESSION_MUTANTS,
  ...RESTART_MUTANTS,
  ...OPERATIONS_MUTANTS,
  ...ACCESS_MUTANTS,
  ...HTTP_ACCESS_MUTANTS,
  ...HTTP_EXCHANGE_MUTANTS,
  ...ADMISSION_MUTANTS,
  ...PROCESS_MUTANTS,
  ...TLS_MUTANTS,
  ...DISCOVERY_MUTANTS,
  ...DESK_MUTANTS,
  ...AUTH_MUTANTS,
  ...RECORD_MUTANTS,
  ...TOKEN_MUTANTS,
  ...HTTP_HEAD_MUTANTS,
  ...HTTP_CONNECTION_MUTANTS,
  ...ACME_MUTANTS,
  ...PAGE_SERVER_MUTANTS,
  ...PAGE_BROWSER_MUTANTS,
  ...FLEET_MUTANTS,
];
