// What the admin listener answers: a status and a body in one of few types, never markup. It echoes no request.

import { NOTHING_YET, type Pull } from '../limits/pulled.ts';
import type { Steps } from '../limits/slices.ts';
import { jsonPieces } from './json-pieces.ts';

export interface Answer {
  readonly status: number;
  readonly type: string;
  /** As it goes out; each chunk is far below a millisecond's work to write. */
  readonly chunks: readonly Buffer[];
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_TYPE = 'application/json';
const CHUNK_CHARACTERS = 32 * 1024;

export function jsonAnswer(value: unknown, status = 200): Answer {
  return { status, type: JSON_TYPE, chunks: [Buffer.from(`${JSON.stringify(value)}\n`)] };
}

/** An answer made in small steps, out of views whose lists are made while they are written. */
export function* jsonAnswerSteps(value: unknown): Generator<unknown, Answer> {
  return { status: 200, type: JSON_TYPE, chunks: yield* chunksOf(lineOf(jsonPieces(value))) };
}

export function* textAnswerSteps(pieces: Iterable<Pull<string>>, type: string): Generator<unknown, Answer> {
  return { status: 200, type, chunks: yield* chunksOf(pieces) };
}

/** An event of a stream, in the form of server-sent events: JSON has no line feed of its own. */
export function* eventChunks(name: string, value: unknown): Generator<unknown, Buffer[]> {
  return yield* chunksOf(eventOf(name, jsonPieces(value)));
}

function* eventOf(name: string, pieces: Iterable<Pull<string>>): Generator<Pull<string>> {
  yield `event: ${name}\ndata: `;
  yield* pieces;
  yield '\n\n';
}

/** One that is there already. */
export function doneSteps(answer: Answer): Steps<Answer> {
  return { next: () => ({ done: true, value: answer }) };
}

function* lineOf(pieces: Iterable<Pull<string>>): Generator<Pull<string>> {
  yield* pieces;
  yield '\n';
}

/** Yields what it has to wait for. */
function* chunksOf(pieces: Iterable<Pull<string>>): Generator<unknown, Buffer[]> {
  const chunks: Buffer[] = [];
  let text = '';
  for (const piece of pieces) {
    yield piece;
    if (piece === NOTHING_YET || piece instanceof Promise) continue;
    text += piece;
    if (text.length < CHUNK_CHARACTERS) continue;
    chunks.push(Buffer.from(text));
    text = '';
  }
  if (text !== '') chunks.push(Buffer.from(text));
  return chunks;
}

/** Every refusal, its status and one sentence. */
const ADMIN_ERRORS = {
  bad_path: { status: 400, message: 'the path has a bad escape' },
  bad_parameter: { status: 400, message: 'a parameter is unknown, given twice or malformed' },
  no_filter: { status: 400, message: 'at least one of route, client, target and identity is needed' },
  bad_until: { status: 400, message: 'until is a time to come, in seconds since 1970' },
  bad_for: { status: 400, message: 'for is a time such as 30m, 24h or 7d, 3650d at most' },
  no_subject: { status: 400, message: 'auth and one of identity, key, jti and all=1 are needed' },
  not_of_method: {
    status: 400,
    message: 'credentials of this method have none: key is for api_key, basic and hmac, jti for jwt and introspection',
  },
  bad_code: { status: 400, message: 'code is 1000, 1001, 1008, 1011 to 1014, or 3000 to 4999' },
  bad_reason: { status: 400, message: 'reason has at most 123 bytes and no control characters' },
  unauthorized: { status: 401, message: 'a token is needed: Authorization: Bearer TOKEN' },
  cross_site: { status: 403, message: 'pages of other origins get no answers here' },
  not_found: { status: 404, message: 'no such endpoint' },
  unknown_session: {
    status: 404,
    message:
      'no session of this id is open or has ended in the last ten minutes. In the log are all ends as session.end, ' +
      'and by request_id what never was a session: a refused handshake as handshake.refused, a plain request as ' +
      'http.request',
  },
  no_session: { status: 404, message: 'no such session, or it is ending' },
  no_route: { status: 404, message: 'no such route' },
  no_target: { status: 404, message: 'no such upstream or target' },
  no_method: { status: 404, message: 'no such method of auth' },
  method: { status: 405, message: 'the method is not one of those in Allow' },
  restarting: { status: 409, message: 'a restart is under way' },
  draining: { status: 409, message: 'framegate is draining' },
  not_restartable: { status: 409, message: 'it cannot be started anew by itself' },
  ending: { status: 409, message: 'it is ending' },
  not_bound: { status: 409, message: 'no credential ends this session: it has none, or bind is off' },
  body_too_large: { status: 413, message: 'a body is not needed, and this one is too large' },
  foreign_host: { status: 421, message: 'Host is neither an IP address nor localhost nor listed in admin.hosts' },
  config_rejected: { status: 422, message: 'the new config has problems, the old one stays' },
  too_many_requests: { status: 429, message: 'too many requests, try again in a second' },
  unanswered: { status: 503, message: 'a worker does not answer, and may be the one that has it: try again' },
  too_many_viewers: { status: 503, message: 'too many look at the page already, close one of them' },
  too_many_connections: { status: 503, message: 'too many connections, only health is answered on this one' },
  not_written: { status: 500, message: 'it cannot be written down, so nothing was revoked' },
  revocations_full: { status: 507, message: 'there are 100000 revocations already, so nothing was revoked' },
  restart_failed: { status: 500, message: 'the new process did not become ready, this one goes on' },
  internal_error: { status: 500, message: 'a fault in framegate itself' },
} as const satisfies Record<string, { status: number; message: string }>;

export type AdminError = keyof typeof ADMIN_ERRORS;

interface ErrorExtra {
  readonly allow?: string;
  readonly problems?: readonly unknown[];
  readonly why?: string;
}

export function errorAnswer(error: AdminError, extra: ErrorExtra = {}): Answer {
  const { status, message } = ADMIN_ERRORS[error];
  const problems = extra.problems === undefined ? {} : { problems: extra.problems };
  const why = extra.why === undefined ? {} : { why: extra.why };
  const headers: Record<string, string> = {};
  if (extra.allow !== undefined) headers.Allow = extra.allow;
  if (error === 'unauthorized') headers['WWW-Authenticate'] = 'Bearer realm="framegate"';
  if (error.startsWith('too_many_')) headers['Retry-After'] = '1';
  return { ...jsonAnswer({ status, error, message, ...problems, ...why }, status), headers };
}
