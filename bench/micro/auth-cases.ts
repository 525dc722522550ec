// What it costs to judge a credential, good or bad, by each method and by a chain of three, and to take out of a
// request what no backend gets. Services are asked without a socket, and answer at once.

import { loadObject } from '../../src/config/load.ts';
import type { AuthChain, ChainAnswer } from '../../src/edge/auth/chain.ts';
import { makeAuthMeans } from '../../src/edge/auth/means.ts';
import type { AuthAsk } from '../../src/edge/auth/method.ts';
import { AuthMethods } from '../../src/edge/auth/methods.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Abort } from '../../src/net/abort.ts';
import { Carrier } from '../../src/net/carrier.ts';
import { Dialer } from '../../src/net/dial.ts';
import { Resolver } from '../../src/net/resolve.ts';
import { Log } from '../../src/observe/log.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import { withoutPlaces } from '../../src/protocol/credential-places.ts';
import { HeadStep, RequestHeadParser } from '../../src/protocol/http-head.ts';
import { judgeUpgradeRequest } from '../../src/protocol/upgrade-request.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { ServiceClient } from '../../src/services/service-client.ts';
import { AUTH_METHODS, methodUnderTest } from '../load/auth-methods.ts';
import { upgradeRequest } from '../load/frames.ts';
import type { MicroCase } from './micro-case.ts';

const REPEATS = 20;
const HOST = 'a.test';
const LIMITS = { headBytesMax: 16_384, targetBytesMax: 8_192, fieldsMax: 100 };
/** Nothing that is remembered grows old. */
const CLOCK = { now: () => 0 };
const SERVICE_URL = 'http://127.0.0.1:1/';

type Verdict = 'good' | 'bad' | 'absent';

export function cases(): readonly MicroCase[] {
  return [...AUTH_METHODS.flatMap(methodCases), ...freshCases(), ...chainCases(), strippingCase()];
}

/** The same credential again and again: what a method remembers of it counts. */
function methodCases(name: (typeof AUTH_METHODS)[number]): MicroCase[] {
  const { method, fieldsFor } = methodUnderTest(name, SERVICE_URL);
  const fields = fieldsFor(HOST);
  return [
    judging(`auth: ${name}, good`, { methods: { [name]: method }, fields: [fields], verdict: 'good' }),
    judging(`auth: ${name}, bad`, { methods: { [name]: method }, fields: [spoiled(fields)], verdict: 'bad' }),
  ];
}

/** Another one each time, of methods that remember. */
function freshCases(): MicroCase[] {
  const guesses = (count: number, fieldsOf: (guess: string) => string) =>
    Array.from({ length: count }, (_, at) => fieldsOf(`guess-${at}`));
  const basic = methodUnderTest('basic', SERVICE_URL).method;
  const passwords = guesses(1, (guess) => authorization(`Basic ${Buffer.from(`bench:${guess}`).toString('base64')}`));
  const introspection = methodUnderTest('introspection', SERVICE_URL).method;
  const tokens = guesses(REPEATS, (guess) => authorization(`Bearer ${guess}`));
  return [
    judging('auth: basic, bad, hashed', { methods: { basic }, fields: passwords, verdict: 'bad', forgets: true }),
    judging('auth: introspection, bad, asked', {
      methods: { introspection },
      fields: tokens,
      verdict: 'bad',
      forgets: true,
    }),
  ];
}

function chainCases(): MicroCase[] {
  const found = (['api_key', 'jwt-hs256', 'hmac'] as const).map((name) => methodUnderTest(name, SERVICE_URL));
  const methods = Object.fromEntries(found.map(({ method }, at) => [`m${at}`, method]));
  const last = found.at(-1)?.fieldsFor(HOST) ?? '';
  return [
    judging('auth: a chain of three, the last decides', { methods, fields: [last], verdict: 'good' }),
    judging('auth: a chain of three, nobody asks', { methods, fields: [''], verdict: 'absent' }),
  ];
}

interface Judging {
  readonly methods: Readonly<Record<string, object>>;
  /** Of the requests, in turn. */
  readonly fields: readonly string[];
  readonly verdict: Verdict;
  /** Before each run. */
  readonly forgets?: boolean;
}

function judging(name: string, { methods, fields, verdict, forgets = false }: Judging): MicroCase {
  const { chain, forget } = subjectOf(methods, verdict);
  const asks = fields.map((text) => askWith(text));
  const operations = forgets ? asks.length : REPEATS;
  const judgeFrom = (start: number, before: number): number | Promise<number> => {
    let met = before;
    for (let i = start; i < operations; i += 1) {
      const answer = chain.ask(asks[i % asks.length] ?? askWith(''));
      if (answer instanceof Promise) return answer.then((late) => judgeFrom(i + 1, met + scoreOf(late, verdict)));
      met += scoreOf(answer, verdict);
    }
    return met;
  };
  const run = () => {
    if (forgets) forget();
    return judgeFrom(0, 0);
  };
  return { name, unit: 'credential', operations, bytes: 0, expected: operations, run };
}

function scoreOf(answer: ChainAnswer, verdict: Verdict): number {
  if (typeof answer === 'string') return Number(answer === verdict);
  if (!('verdict' in answer)) return 0;
  // A service refuses in its own words.
  const { kind } = answer.verdict;
  return Number((kind === 'refused' ? 'bad' : kind) === verdict);
}

/** From the request's parts to those that a backend gets. */
function strippingCase(): MicroCase {
  const from = ['header:X-API-Key', 'query:key', 'cookie:key', 'subprotocol:bearer'];
  const method = { api_key: { from, keys: [{ name: 'bench', sha256: '0'.repeat(64) }] } };
  const { chain } = subjectOf({ method }, 'bad');
  const cookie = 'Cookie: theme=dark; key=secret; lang=en\r\n';
  const offer = 'Sec-WebSocket-Protocol: chat.v2, bearer, secret\r\n';
  const { request } = askWith(`X-API-Key: secret\r\n${cookie}${offer}`, '/chat?room=42&key=secret');
  const run = () => {
    let met = 0;
    for (let i = 0; i < REPEATS; i += 1) {
      const { query, protocols } = withoutPlaces(request, chain.strippedBy(null));
      if (query === '?room=42' && protocols.length === 1) met += 1;
    }
    return met;
  };
  return {
    name: 'auth: stripping four places',
    unit: 'request',
    operations: REPEATS,
    bytes: 0,
    expected: REPEATS,
    run,
  };
}

/** The chain of a route that asks for these, in their order. */
function subjectOf(methods: Readonly<Record<string, object>>, says: Verdict): { chain: AuthChain; forget: () => void } {
  const route = { upstream: 'builtin:echo', auth: Object.keys(methods), origins: ['same'] };
  // What is no such method, the schema finds.
  const input: ConfigInput = { routes: [route], auth: methods as ConfigInput['auth'] };
  const { config } = loadObject(input, { baseDir: '.' });
  const all = new AuthMethods(meansOf(says));
  const steps = all.plan(config);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  const [first] = config.routes;
  const chain = first === undefined ? null : step.value.chainOf(first);
  if (chain === null) throw new Error('there is a route with auth');
  return {
    chain,
    forget: () => {
      for (const method of chain.methods) method.forget?.();
    },
  };
}

/** Without a log and without sockets; nobody is counted out. */
function meansOf(says: Verdict): ConstructorParameters<typeof AuthMethods>[0] {
  const wheel = new TimerWheel(CLOCK);
  const dialer = new Dialer({ resolver: new Resolver(CLOCK), wheel, clock: CLOCK, carrier: new Carrier('stream') });
  const log = new Log({
    level: 'error',
    format: 'json',
    lines_per_second: 1,
    clock: CLOCK,
    destination: { write() {} },
  });
  const metrics = new MetricsRegistry();
  const fixed = { clock: CLOCK, wheel, log, metrics, dialer, wallNow: Date.now, cores: 2 };
  const means = makeAuthMeans({ ...fixed, failuresPerMinute: Number.POSITIVE_INFINITY });
  return { ...means, services: new AtOnce({ dialer, clock: CLOCK, wheel }, says) };
}

/** Says of everybody the same, in the words of RFC 7662 and to a GET by its status. */
class AtOnce extends ServiceClient {
  private readonly isGood: boolean;

  constructor(means: ConstructorParameters<typeof ServiceClient>[0], says: Verdict) {
    super(means);
    this.isGood = says === 'good';
  }

  override async ask({ method }: Parameters<ServiceClient['ask']>[0]): ReturnType<ServiceClient['ask']> {
    const { isGood } = this;
    const body = Buffer.from(isGood ? '{"active":true,"sub":"bench"}' : '{"active":false}');
    return { status: method === 'GET' && !isGood ? 401 : 200, headers: {}, body };
  }
}

function askWith(fields: string, path = '/'): AuthAsk {
  const bytes = upgradeRequest(HOST, path, fields);
  const parser = new RequestHeadParser(LIMITS);
  const isWhole = parser.feed(bytes, 0, bytes.length) === HeadStep.Done;
  const verdict = isWhole && parser.head !== null ? judgeUpgradeRequest(parser.head) : null;
  if (verdict?.ok !== true) throw new Error('the request of the bench is refused');
  return {
    request: verdict.request,
    arrival: { client: '192.0.2.1', peer: '192.0.2.1', peerTrusted: false, proto: 'http', requestId: 'r', tls: null },
    route: 'bench',
    clientKey: '192.0.2.1',
    signal: new Abort(),
    deadline: Number.POSITIVE_INFINITY,
  };
}

function authorization(value: string): string {
  return `Authorization: ${value}\r\n`;
}

/** With another character in the middle of what is secret of it. */
function spoiled(fields: string): string {
  const end = fields.lastIndexOf('\r\n');
  const at = end - 12;
  return `${fields.slice(0, at)}${fields[at] === 'A' ? 'B' : 'A'}${fields.slice(at + 1)}`;
}
