// The command line of the load bench: what to run, how long, and where the result goes.

import { parseArgs } from 'node:util';
import { CERTIFICATE_KINDS } from '../support/certificate-kinds.ts';
import { AUTH_METHODS, type AuthMethodName } from './auth-methods.ts';
import { type Cell, DEFAULT_GRID, parseCell, TLS_GRID } from './grid.ts';
import { DEFAULT_PEERS } from './peers.ts';
import { TLS_VERSIONS, type TlsChoice } from './tls.ts';

export const MODES = ['grid', 'handshakes', 'fairness', 'tls-handshakes', 'storm', 'auth', 'plain', 'beside'] as const;
export type Mode = (typeof MODES)[number];

export interface LoadOptions {
  readonly modes: readonly Mode[];
  readonly grid: readonly Cell[];
  readonly peers: readonly string[];
  /** What TLS is where there is some. */
  readonly tls: TlsChoice;
  readonly stormClients: number;
  readonly auth: readonly AuthMethodName[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly rate: number | null;
  readonly nodeFlags: readonly string[];
  readonly proxyCore: number;
  readonly loadCore: number;
  readonly json: string | null;
  readonly svg: string | null;
  readonly write: string | null;
  readonly markdown: boolean;
}

const STORM_CLIENTS = 5_000;

export const USAGE = `npm run bench:load -- [options]

  --mode LIST       what to measure: ${MODES.join(', ')} (default: all)
  --grid LIST       cells, connections x payload x in flight; wss: before it is TLS to the client, wss-both:
                    to the backend too (default: ${DEFAULT_GRID.join(',')},
                    ${TLS_GRID.join(',')})
  --peers LIST      ${DEFAULT_PEERS.join(', ')},
                    framegate:FOLDER for the build in another checkout, framegate@N with N workers
                    (default: all of these but the last three)
  --certificate K   ${CERTIFICATE_KINDS.join(' or ')}, made for this run (default: ${CERTIFICATE_KINDS[0]})
  --tls-version V   ${TLS_VERSIONS.join(' or ')} (default: ${TLS_VERSIONS[0]})
  --storm N         clients that come back at once (default: ${STORM_CLIENTS})
  --auth LIST       methods of auth that framegate asks for, beside a route without (default:
                    ${AUTH_METHODS.join(', ')})
  --rounds N        interleaved rounds of every cell (default: 5)
  --seconds N       length of one measurement (default: 2)
  --warmup N        seconds before it (default: 1)
  --rate N          messages a second by the clock instead of as fast as echoes come back; latency counts from
                    when a message was due
  --node-flags TEXT V8 flags of the peers that run on Node (default: --single-threaded);
                    framegate gets those of its own bin
  --proxy-core N    core of the proxies (default: 0)
  --load-core N     core of generator and backend (default: 1)
  --json FILE       write everything that was measured
  --svg FILE        write a chart
  --markdown        print the tables (default unless --json, --svg or --write is given)
  --write FILE      put the tables between the markers of a document
`;

/** Throws with a message for people. */
export function parseLoadOptions(argv: readonly string[]): LoadOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      mode: { type: 'string', default: MODES.join(',') },
      grid: { type: 'string', default: [...DEFAULT_GRID, ...TLS_GRID].join(',') },
      certificate: { type: 'string', default: CERTIFICATE_KINDS[0] },
      'tls-version': { type: 'string', default: TLS_VERSIONS[0] },
      storm: { type: 'string', default: String(STORM_CLIENTS) },
      peers: { type: 'string', default: DEFAULT_PEERS.join(',') },
      auth: { type: 'string', default: AUTH_METHODS.join(',') },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      warmup: { type: 'string', default: '1' },
      rate: { type: 'string' },
      'node-flags': { type: 'string', default: '--single-threaded' },
      'proxy-core': { type: 'string', default: '0' },
      'load-core': { type: 'string', default: '1' },
      json: { type: 'string' },
      svg: { type: 'string' },
      write: { type: 'string' },
      markdown: { type: 'boolean', default: false },
    },
  });
  const hasOutput = values.json !== undefined || values.svg !== undefined || values.write !== undefined;
  return {
    modes: list(values.mode).map((mode) => oneOf('--mode', mode, MODES)),
    grid: list(values.grid).map(parseCell),
    peers: list(values.peers),
    tls: {
      certificate: oneOf('--certificate', values.certificate, CERTIFICATE_KINDS),
      version: oneOf('--tls-version', values['tls-version'], TLS_VERSIONS),
    },
    stormClients: numberIn('--storm', values.storm, 1, 9_000),
    auth: list(values.auth).map((name) => oneOf('--auth', name, AUTH_METHODS)),
    rounds: numberIn('--rounds', values.rounds, 1, 1_000),
    seconds: numberIn('--seconds', values.seconds, 0.1, 600),
    warmupSeconds: numberIn('--warmup', values.warmup, 0, 600),
    rate: values.rate === undefined ? null : numberIn('--rate', values.rate, 1, 10_000_000),
    nodeFlags: values['node-flags'].split(' ').filter((flag) => flag !== ''),
    proxyCore: numberIn('--proxy-core', values['proxy-core'], 0, 4_095),
    loadCore: numberIn('--load-core', values['load-core'], 0, 4_095),
    json: values.json ?? null,
    svg: values.svg ?? null,
    write: values.write ?? null,
    markdown: values.markdown || !hasOutput,
  };
}

export function numberIn(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!(value >= min && value <= max)) throw new Error(`${name} ${text}: expected ${min} to ${max}`);
  return value;
}

export function list(text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  return items.filter((item) => item !== '');
}

export function oneOf<Known extends string>(name: string, text: string, known: readonly Known[]): Known {
  const found = known.find((one) => one === text);
  if (found === undefined) throw new Error(`${name} "${text}": there are ${known.join(', ')}`);
  return found;
}
