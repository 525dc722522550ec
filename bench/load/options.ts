// The command line of the load bench: what to run, how long, and where the result goes.

import { parseArgs } from 'node:util';
import { type Cell, DEFAULT_GRID, parseCell } from './grid.ts';
import { DEFAULT_PEERS } from './peers.ts';

export const MODES = ['grid', 'handshakes', 'fairness'] as const;
export type Mode = (typeof MODES)[number];

export interface LoadOptions {
  readonly modes: readonly Mode[];
  readonly grid: readonly Cell[];
  readonly peers: readonly string[];
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

export const USAGE = `npm run bench:load -- [options]

  --mode LIST       what to measure: ${MODES.join(', ')} (default: all)
  --grid LIST       cells, connections x payload x in flight (default: ${DEFAULT_GRID.join(',')})
  --peers LIST      ${DEFAULT_PEERS.join(', ')},
                    framegate:FOLDER for the build in another checkout (default: all of these but the last)
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
      grid: { type: 'string', default: DEFAULT_GRID.join(',') },
      peers: { type: 'string', default: DEFAULT_PEERS.join(',') },
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
    modes: list(values.mode).map(parseMode),
    grid: list(values.grid).map(parseCell),
    peers: list(values.peers),
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

function parseMode(text: string): Mode {
  const mode = MODES.find((known) => known === text);
  if (mode === undefined) throw new Error(`"${text}" is no mode; there are ${MODES.join(', ')}`);
  return mode;
}
