// The table of endpoints: which path and method asks the backend for what, and which parameters it takes. It judges
// parameters, but not who asks: guard.ts does that, server.ts first.

import { METRICS_CONTENT_TYPE } from '../observe/text-format.ts';
import { type AdminError, type Answer, errorAnswer, jsonAnswer, textAnswer } from './answer.ts';
import type { AdminBackend, SessionFilter, SessionQuery, SessionState } from './backend.ts';

/** What an endpoint is given: names out of the path, in its order, and parameters it has listed. */
interface Call {
  readonly backend: AdminBackend;
  readonly names: readonly string[];
  readonly parameters: ReadonlyMap<string, string>;
}

interface Endpoint {
  /** GET stands for HEAD too. */
  readonly method: 'GET' | 'POST';
  /** Segments; `*` takes any one. */
  readonly path: readonly string[];
  readonly parameters: readonly string[];
  /** What `admin.public` may open. */
  readonly group: 'health' | 'metrics' | null;
  answer(call: Call): Answer | Promise<Answer>;
}

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;
const CODE_DEFAULT = 1008;
/** RFC 6455 5.5: 125 bytes of a control frame, less two for the code. */
const REASON_BYTES_MAX = 123;
const REASON_DEFAULT = 'closed by the operator';

const get = (path: string, parameters: readonly string[], answer: Endpoint['answer']): Endpoint => {
  return { method: 'GET', path: segmentsOf(path), parameters, group: null, answer };
};

const post = (path: string, parameters: readonly string[], answer: Endpoint['answer']): Endpoint => {
  return { ...get(path, parameters, answer), method: 'POST' };
};

const endpoints: readonly Endpoint[] = [
  { ...get('/healthz', [], () => jsonAnswer({ status: 'ok' })), group: 'health' },
  { ...get('/readyz', ['route'], readyz), group: 'health' },
  { ...get('/metrics', [], metrics), group: 'metrics' },
  get('/api/v1/status', [], ({ backend }) => jsonAnswer(backend.status())),
  get('/api/v1/config', [], ({ backend }) => textAnswer(backend.configText(), 'application/yaml')),
  get('/api/v1/upstreams', [], ({ backend }) => jsonAnswer({ upstreams: backend.upstreams() })),
  get('/api/v1/advice', [], ({ backend }) => jsonAnswer(backend.advice())),
  get('/api/v1/sessions', ['route', 'client', 'target', 'state', 'limit', 'after'], listSessions),
  get('/api/v1/sessions/*', [], showSession),
  get('/application/websockets', [], ({ backend }) => jsonAnswer(backend.applicationWebsockets())),
  post('/api/v1/reload', [], reload),
  post('/api/v1/drain', [], ({ backend }) => {
    backend.drain();
    return jsonAnswer({ status: 'draining' }, 202);
  }),
  post('/api/v1/routes/*/drain', [], ({ backend, names: [route = ''] }) => {
    return backend.drainRoute(route) ? jsonAnswer({ route, state: 'draining' }) : errorAnswer('no_route');
  }),
  post('/api/v1/routes/*/undrain', [], ({ backend, names: [route = ''] }) => {
    return backend.undrainRoute(route) ? jsonAnswer({ route, state: 'open' }) : errorAnswer('no_route');
  }),
  post('/api/v1/upstreams/*/targets/*/drain', [], ({ backend, names: [upstream = '', target = ''] }) => {
    if (!backend.drainTarget(upstream, target)) return errorAnswer('no_target');
    return jsonAnswer({ upstream, target, state: 'draining' });
  }),
  post('/api/v1/upstreams/*/targets/*/undrain', [], ({ backend, names: [upstream = '', target = ''] }) => {
    if (!backend.undrainTarget(upstream, target)) return errorAnswer('no_target');
    return jsonAnswer({ upstream, target, state: 'up' });
  }),
  post('/api/v1/sessions/close', ['route', 'client', 'target', 'code', 'reason'], closeSessions),
  post('/api/v1/sessions/*/close', ['code', 'reason'], closeSession),
];

/** A request that names an endpoint, ready to run once it is known who asks. */
export interface Matched {
  readonly group: Endpoint['group'];
  /** What the log calls it, such as `sessions.close`; null when it changes nothing. */
  readonly action: string | null;
  /** What the log says of it. */
  readonly details: Readonly<Record<string, string>>;
  run(backend: AdminBackend): Answer | Promise<Answer>;
}

export type Match = Matched | { readonly group: Endpoint['group']; readonly refused: Answer };

/** `target` is the request target as it came. */
export function matchEndpoint(method: string, target: string): Match {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const segments = decodedSegments(path);
  if (segments === null) return { group: null, refused: errorAnswer('bad_path') };
  const fitting = endpoints.filter((endpoint) => fits(endpoint.path, segments));
  const asked = method === 'HEAD' ? 'GET' : method;
  const endpoint = fitting.find((candidate) => candidate.method === asked);
  if (endpoint === undefined) {
    const [other] = fitting;
    if (other === undefined) return { group: null, refused: errorAnswer('not_found') };
    const allow = fitting.some((candidate) => candidate.method === 'GET') ? 'GET, HEAD' : 'POST';
    return { group: other.group, refused: errorAnswer('method', { allow }) };
  }
  const parameters = readParameters(endpoint.parameters, mark < 0 ? '' : target.slice(mark + 1));
  if (parameters === null) return { group: endpoint.group, refused: errorAnswer('bad_parameter') };
  const names = segments.filter((_, index) => endpoint.path[index] === '*');
  const isChange = endpoint.method === 'POST';
  return {
    group: endpoint.group,
    action: isChange
      ? endpoint.path
          .slice(2)
          .filter((part) => part !== '*')
          .join('.')
      : null,
    details: { ...(names.length === 0 ? {} : { of: names.join('/') }), ...Object.fromEntries(parameters) },
    run: (backend) => endpoint.answer({ backend, names, parameters }),
  };
}

function segmentsOf(path: string): string[] {
  return path.split('/').slice(1);
}

function decodedSegments(path: string): string[] | null {
  try {
    // Names hold slashes, escaped: the path is cut first.
    return segmentsOf(path).map(decodeURIComponent);
  } catch {
    return null;
  }
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, index) => (part === '*' ? segments[index] !== '' : part === segments[index]))
  );
}

/** Null for a parameter that is unknown, empty or there twice: a mistyped filter must not close everything. */
function readParameters(known: readonly string[], query: string): ReadonlyMap<string, string> | null {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name) || parameters.has(name) || value === '') return null;
    parameters.set(name, value);
  }
  return parameters;
}

function readyz({ backend, parameters }: Call): Answer {
  const status = backend.readiness(parameters.get('route'));
  if (status === null) return errorAnswer('no_route');
  return jsonAnswer({ status }, status === 'ready' ? 200 : 503);
}

async function metrics({ backend }: Call): Promise<Answer> {
  return textAnswer(await backend.metricsText(), METRICS_CONTENT_TYPE);
}

function listSessions({ backend, parameters }: Call): Answer {
  const state = parameters.get('state');
  const limit = parameters.get('limit') ?? String(LIMIT_DEFAULT);
  const after = parameters.get('after');
  if (state !== undefined && !isSessionState(state)) return errorAnswer('bad_parameter');
  if (!/^[1-9][0-9]{0,3}$/.test(limit) || Number(limit) > LIMIT_MAX) return errorAnswer('bad_parameter');
  const query: SessionQuery = {
    ...filterOf(parameters),
    ...(state === undefined ? {} : { state }),
    ...(after === undefined ? {} : { after }),
    limit: Number(limit),
  };
  return jsonAnswer(backend.sessions(query));
}

function isSessionState(text: string): text is SessionState {
  return text === 'open' || text === 'paused' || text === 'closing';
}

function showSession({ backend, names: [id = ''] }: Call): Answer {
  const view = backend.session(id);
  return view === null ? errorAnswer('no_session') : jsonAnswer(view);
}

function closeSession({ backend, names: [id = ''], parameters }: Call): Answer {
  const close = readClose(parameters);
  if (typeof close === 'string') return errorAnswer(close);
  return backend.closeSession(id, close.code, close.reason) ? jsonAnswer({ closing: 1 }) : errorAnswer('no_session');
}

function closeSessions({ backend, parameters }: Call): Answer {
  const filter = filterOf(parameters);
  if (Object.keys(filter).length === 0) return errorAnswer('no_filter');
  const close = readClose(parameters);
  if (typeof close === 'string') return errorAnswer(close);
  return jsonAnswer({ closing: backend.closeSessions(filter, close.code, close.reason) });
}

function filterOf(parameters: ReadonlyMap<string, string>): SessionFilter {
  const filter: Record<string, string> = {};
  for (const name of ['route', 'client', 'target']) {
    const value = parameters.get(name);
    if (value !== undefined) filter[name] = value;
  }
  return filter;
}

function readClose(parameters: ReadonlyMap<string, string>): { code: number; reason: string } | AdminError {
  const text = parameters.get('code') ?? String(CODE_DEFAULT);
  const code = Number(text);
  if (!/^[0-9]{4}$/.test(text) || !isCodeToSend(code)) return 'bad_code';
  const reason = parameters.get('reason') ?? REASON_DEFAULT;
  const isPlain = Array.from(reason).every((character) => !isControl(character.codePointAt(0) ?? 0));
  if (!isPlain || Buffer.byteLength(reason) > REASON_BYTES_MAX) return 'bad_reason';
  return { code, reason };
}

/** Codes that an operator can truthfully send; the others blame the client for its bytes, or never go on the wire. */
function isCodeToSend(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code === 1000 || code === 1001 || code === 1008 || (code >= 1011 && code <= 1014);
}

function isControl(codePoint: number): boolean {
  return codePoint < 0x20 || (codePoint >= 0x7f && codePoint < 0xa0);
}

async function reload({ backend }: Call): Promise<Answer> {
  const result = await backend.reload();
  if (result.ok) return jsonAnswer({ changed: result.changed });
  return errorAnswer('config_rejected', { problems: result.problems });
}
