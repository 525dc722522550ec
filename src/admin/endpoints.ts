// The table of endpoints: which path and method asks the subject for what, and which parameters it takes. It does not
// judge who asks: guard.ts does that, server.ts first.

import type { Steps } from '../limits/slices.ts';
import { METRICS_CONTENT_TYPE } from '../observe/text-format.ts';
import { type Answer, doneSteps, errorAnswer, jsonAnswer, jsonAnswerSteps, textAnswerSteps } from './answer.ts';
import type { PageFiles } from './page-files.ts';
import type { PageSource } from './page-source.ts';
import {
  filterOf,
  type Parameters,
  readClose,
  readParameters,
  readQuery,
  readRevoke,
  readUntil,
} from './parameters.ts';
import { NEEDS_SCRIPTS, plainTables } from './plain-page.ts';
import type { AdminSubject } from './subject.ts';

interface Page {
  readonly source: PageSource;
  /** Null where the package was built without them. */
  readonly files: PageFiles | null;
  /** Whether what it shows may be in its markup. */
  readonly isOpen: boolean;
}

/** What is asked: a proxy, and the page that shows it; null while that is off. */
interface Asked {
  readonly subject: AdminSubject;
  readonly page: Page | null;
}

/** What an endpoint is given: names out of the path, in its order, and parameters it has listed. */
interface Call extends Asked {
  readonly names: readonly string[];
  readonly parameters: Parameters;
}

interface Place {
  /** Segments; `*` takes any one. */
  readonly path: readonly string[];
  readonly parameters: readonly string[];
  /** What `admin.public` may open; `page`: what holds no data, and is there while `admin.page` is on. */
  readonly group: 'health' | 'metrics' | 'page' | null;
}

/** GET stands for HEAD too. */
type Endpoint = Place & { readonly method: 'GET' | 'POST' } & (
    | { readonly kind: 'at once'; answer(call: Call): Promise<Answer> }
    /** Its work grows with what there is, so it is made in steps. */
    | { readonly kind: 'in steps'; steps(call: Call): Promise<Steps<Answer>> }
    /** Events of the page, for as long as they are taken. */
    | { readonly kind: 'stream' }
  );

type Find = Extract<Endpoint, { kind: 'at once' }>['answer'];
type Make = Extract<Endpoint, { kind: 'in steps' }>['steps'];

const get = (path: string, parameters: readonly string[], answer: Find): Endpoint => {
  return { kind: 'at once', method: 'GET', path: segmentsOf(path), parameters, group: null, answer };
};

const post = (path: string, parameters: readonly string[], answer: Find): Endpoint => {
  return { ...get(path, parameters, answer), method: 'POST' };
};

const view = (path: string, parameters: readonly string[], steps: Make): Endpoint => {
  return { kind: 'in steps', method: 'GET', path: segmentsOf(path), parameters, group: null, steps };
};

const endpoints: readonly Endpoint[] = [
  { ...get('/healthz', [], async () => jsonAnswer({ status: 'ok' })), group: 'health' },
  { ...get('/readyz', ['route'], readyz), group: 'health' },
  { ...view('/metrics', [], metrics), group: 'metrics' },
  { ...view('/', [], pageItself), group: 'page' },
  {
    ...get('/page/*', [], async ({ page, names }) => page?.files?.file(names[0] ?? '') ?? errorAnswer('not_found')),
    group: 'page',
  },
  view('/api/v1/history', [], history),
  { kind: 'stream', method: 'GET', path: segmentsOf('/api/v1/events'), parameters: [], group: null },
  view('/api/v1/status', [], async ({ subject }) => jsonAnswerSteps(await subject.status())),
  view('/api/v1/config', [], async ({ subject }) => textAnswerSteps(await subject.config(), 'application/yaml')),
  view('/api/v1/upstreams', [], async ({ subject }) => jsonAnswerSteps({ upstreams: await subject.upstreams() })),
  view('/api/v1/advice', [], async ({ subject }) => jsonAnswerSteps(await subject.advice())),
  view('/api/v1/sessions', ['route', 'client', 'target', 'identity', 'state', 'sort', 'limit', 'after'], listSessions),
  get('/api/v1/sessions/*', [], showSession),
  get('/api/v1/sessions/*/why', [], showWhy),
  view('/application/websockets', [], async ({ subject }) => jsonAnswerSteps(await subject.applicationWebsockets())),
  post('/api/v1/reload', ['force'], reload),
  post('/api/v1/restart', [], restart),
  post('/api/v1/drain', [], async ({ subject }) => {
    await subject.drain();
    return jsonAnswer({ status: 'draining' }, 202);
  }),
  post('/api/v1/routes/*/drain', [], (call) => drainRoute(call, true)),
  post('/api/v1/routes/*/undrain', [], (call) => drainRoute(call, false)),
  post('/api/v1/upstreams/*/targets/*/drain', [], (call) => drainTarget(call, true)),
  post('/api/v1/upstreams/*/targets/*/undrain', [], (call) => drainTarget(call, false)),
  post('/api/v1/sessions/close', ['route', 'client', 'target', 'identity', 'code', 'reason'], closeSessions),
  post('/api/v1/sessions/*/close', ['code', 'reason'], closeSession),
  post('/api/v1/sessions/*/extend', ['until'], extendSession),
  post('/api/v1/revoke', ['auth', 'identity', 'key', 'jti', 'all', 'for'], revoke),
];

/** A request that names an endpoint, ready to run once it is known who asks. */
interface Matched {
  readonly group: Endpoint['group'];
  /** It asks about something by its name, which is nobody's affair whose token is not right. */
  readonly namesParts: boolean;
  /** What the log calls it, such as `sessions.close`; null when it changes nothing. */
  readonly action: string | null;
  /** What the log says of it. */
  readonly details: Readonly<Record<string, string>>;
  readonly work: Work;
}

/** `in steps`: one of a `kind` at a time. */
type Work =
  | { readonly how: 'at once'; run(asked: Asked): Promise<Answer> }
  | { readonly how: 'stream' }
  | { readonly how: 'in steps'; readonly kind: string; begin(asked: Asked): Promise<Steps<Answer>> };

export type Match = Matched | (Pick<Matched, 'group' | 'namesParts'> & { readonly refused: Answer });

/** `target` is the request target as it came. */
export function matchEndpoint(method: string, target: string): Match {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const segments = decodedSegments(path);
  if (segments === null) return { group: null, namesParts: false, refused: errorAnswer('bad_path') };
  const fitting = endpoints.filter((endpoint) => fits(endpoint.path, segments));
  const asked = method === 'HEAD' ? 'GET' : method;
  const endpoint = fitting.find((candidate) => candidate.method === asked);
  if (endpoint === undefined) {
    const [other] = fitting;
    if (other === undefined) return { group: null, namesParts: false, refused: errorAnswer('not_found') };
    const allow = fitting.some((candidate) => candidate.method === 'GET') ? 'GET, HEAD' : 'POST';
    return { group: other.group, namesParts: false, refused: errorAnswer('method', { allow }) };
  }
  const { group } = endpoint;
  const parameters = readParameters(endpoint.parameters, mark < 0 ? '' : target.slice(mark + 1));
  if (parameters === null) return { group, namesParts: false, refused: errorAnswer('bad_parameter') };
  const names = segments.filter((_, index) => endpoint.path[index] === '*');
  return {
    group,
    namesParts: parameters.has('route'),
    action: endpoint.method === 'POST' ? actionOf(endpoint) : null,
    details: { ...(names.length === 0 ? {} : { of: names.join('/') }), ...Object.fromEntries(parameters) },
    work: workOf(endpoint, names, parameters),
  };
}

function actionOf({ path }: Place): string {
  return path
    .slice(2)
    .filter((part) => part !== '*')
    .join('.');
}

function workOf(endpoint: Endpoint, names: Call['names'], parameters: Call['parameters']): Work {
  if (endpoint.kind === 'at once') {
    return { how: 'at once', run: (asked) => endpoint.answer({ ...asked, names, parameters }) };
  }
  if (endpoint.kind === 'stream') return { how: 'stream' };
  const kind = endpoint.path.join('/');
  return { how: 'in steps', kind, begin: (asked) => endpoint.steps({ ...asked, names, parameters }) };
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

async function readyz({ subject, parameters }: Call): Promise<Answer> {
  const status = await subject.readiness(parameters.get('route'));
  if (status === null) return errorAnswer('no_route');
  return jsonAnswer({ status }, status === 'ready' ? 200 : 503);
}

async function pageItself({ subject, page }: Call): Promise<Steps<Answer>> {
  if (page === null || page.files === null) return doneSteps(errorAnswer('not_found'));
  const { files, source, isOpen } = page;
  if (!isOpen) return doneSteps(files.index(NEEDS_SCRIPTS));
  const tables = await plainTables(subject, source);
  return (function* () {
    return files.index(yield* tables);
  })();
}

async function history({ page }: Call): Promise<Steps<Answer>> {
  const view = (await page?.source.history()) ?? null;
  return view === null ? doneSteps(errorAnswer('not_found')) : jsonAnswerSteps(view);
}

async function metrics({ subject }: Call): Promise<Steps<Answer>> {
  return textAnswerSteps(await subject.metrics(), METRICS_CONTENT_TYPE);
}

async function drainRoute({ subject, names: [route = ''] }: Call, draining: boolean): Promise<Answer> {
  const isThere = await subject.drainRoute(route, draining);
  return isThere ? jsonAnswer({ route, state: draining ? 'draining' : 'open' }) : errorAnswer('no_route');
}

async function drainTarget({ subject, names }: Call, draining: boolean): Promise<Answer> {
  const [upstream = '', target = ''] = names;
  const isThere = await subject.drainTarget(upstream, target, draining);
  return isThere ? jsonAnswer({ upstream, target, state: draining ? 'draining' : 'up' }) : errorAnswer('no_target');
}

async function listSessions({ subject, parameters }: Call): Promise<Steps<Answer>> {
  const query = readQuery(parameters);
  return query === null ? doneSteps(errorAnswer('bad_parameter')) : jsonAnswerSteps(await subject.sessions(query));
}

async function showSession({ subject, names: [id = ''] }: Call): Promise<Answer> {
  const view = await subject.session(id);
  return view === null ? errorAnswer('no_session') : jsonAnswer(view);
}

async function showWhy({ subject, names: [id = ''] }: Call): Promise<Answer> {
  const view = await subject.why(id);
  return view === null ? errorAnswer('unknown_session') : jsonAnswer(view);
}

async function closeSession({ subject, names: [id = ''], parameters }: Call): Promise<Answer> {
  const close = readClose(parameters);
  if (typeof close === 'string') return errorAnswer(close);
  return (await subject.closeSession(id, close)) ? jsonAnswer({ closing: 1 }) : errorAnswer('no_session');
}

async function closeSessions({ subject, parameters }: Call): Promise<Answer> {
  const filter = filterOf(parameters);
  if (Object.keys(filter).length === 0) return errorAnswer('no_filter');
  const close = readClose(parameters);
  if (typeof close === 'string') return errorAnswer(close);
  return jsonAnswer({ closing: await subject.closeSessions(filter, close) });
}

async function extendSession({ subject, names: [id = ''], parameters }: Call): Promise<Answer> {
  const until = readUntil(parameters);
  if (until === null) return errorAnswer('bad_until');
  const extended = await subject.extendSession(id, until);
  return extended === 'ok' ? jsonAnswer({ session: id, until: until / 1000 }) : errorAnswer(extended);
}

async function revoke({ subject, parameters }: Call): Promise<Answer> {
  const ask = readRevoke(parameters);
  if (typeof ask === 'string') return errorAnswer(ask);
  const result = await subject.revoke(ask);
  return 'error' in result ? errorAnswer(result.error) : jsonAnswer(result);
}

async function reload({ subject, parameters }: Call): Promise<Answer> {
  const force = parameters.get('force');
  if (force !== undefined && force !== '1') return errorAnswer('bad_parameter');
  const result = await subject.reload(force === '1');
  if (result.ok) return jsonAnswer({ changed: result.changed });
  return errorAnswer('config_rejected', { problems: result.problems });
}

async function restart({ subject }: Call): Promise<Answer> {
  const result = await subject.restart();
  if (result.ok) return jsonAnswer({ pid: result.pid, ms: result.ms });
  return errorAnswer(result.error, 'why' in result ? { why: result.why } : {});
}
