// How a refused client is told where `refuse_with` is close: a WebSocket that opens, and a Close at once, whose code
// and reason its page can read. Whether it is told so depends on its head and its route; it decides no refusal.

import type { RouteConfig } from '../config/types.ts';
import type { CredentialPlace } from '../protocol/credential-places.ts';
import { firstValueOf } from '../protocol/lists.ts';
import { backendRefusalCode, isReadable, type RefusalCause, refusalCode } from '../protocol/refusal-close.ts';
import { REFUSALS, type Refusal } from '../protocol/refusals.ts';
import type { RelayedRefusal } from '../upstream/backend-handshake.ts';
import type { Asked } from './admission.ts';
import type { OpenRefusal } from './asker.ts';
import { harmlessName } from './auth/offer.ts';
import { isForeign } from './checks/origin.ts';
import { retryAfterSeconds } from './retry-after.ts';

/** Of a backend; a date, or what is longer, is not repeated. */
const DELAY_SECONDS = /^[0-9]{1,9}$/;

/** Null: by HTTP. */
export function noticeOf(asked: Asked, { slug, retryAfter }: Refusal): OpenRefusal | null {
  if (!isReadable(slug) || !isAskedForClose(asked)) return null;
  const retry = 'retryAfter' in REFUSALS[slug] ? String(retryAfter ?? retryAfterSeconds()) : null;
  return notice(asked, { cause: slug, code: refusalCode(slug), text: slug, retry });
}

/** The same of what a backend answered. */
export function noticeOfBackend(asked: Asked, { status, fields }: RelayedRefusal): OpenRefusal | null {
  if (!isAskedForClose(asked)) return null;
  const after = firstValueOf(fields, 'retry-after');
  const retry = after !== undefined && DELAY_SECONDS.test(after) ? after : null;
  const code = backendRefusalCode(status);
  return notice(asked, { cause: 'backend_refused', code, text: `backend_refused ${status}`, retry });
}

interface Told {
  readonly cause: RefusalCause;
  readonly code: number;
  readonly text: string;
  readonly retry: string | null;
}

const FOREIGN: Told = {
  cause: 'origin_not_allowed',
  code: refusalCode('origin_not_allowed'),
  text: 'origin_not_allowed',
  retry: null,
};

function notice(asked: Asked, told: Told): OpenRefusal | null {
  // A page that has no business here learns nothing of what there is.
  const { cause, code, text, retry } = isForeign(asked) ? FOREIGN : told;
  const { upgrade, marker } = asked;
  if (upgrade === null) return null;
  // RFC 6455 4.1: a browser fails the connection when it offered some and none is named.
  const protocol = harmlessName(upgrade.protocols, placesOf(asked)) ?? marker;
  return {
    answer: { key: upgrade.key, protocol, extensions: null, fields: [] },
    code: settingsOf(asked).close_codes[cause] ?? code,
    reason: retry === null ? text : `${text} retry=${retry}`,
  };
}

/** Wherever any method reads, or read when it came: it may have come to another route than its client means. */
function placesOf({ places, context }: Asked): readonly CredentialPlace[] {
  return [...places, ...[...context.snapshot.auth.values()].flatMap((method) => method.places)];
}

/** RFC 6455 4.2.2: only a head that is a whole, legal upgrade may be answered with a 101. */
function isAskedForClose(asked: Asked): boolean {
  return asked.upgrade !== null && settingsOf(asked).refuse_with === 'close';
}

/** Of its route; where none was found, what holds for those that say nothing. */
function settingsOf({ chosen, context }: Asked): Pick<RouteConfig, 'refuse_with' | 'close_codes'> {
  if (chosen !== null) return chosen.route.config;
  const { defaults, close_codes } = context.snapshot.config;
  return { refuse_with: defaults.refuse_with, close_codes };
}
