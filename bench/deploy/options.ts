// The command line of the deploy bench.

import { parseArgs } from 'node:util';
import { list, numberIn } from '../load/options.ts';
import { DEPLOY_PEERS } from './deploy-peers.ts';
import { STOPPED } from './launches.ts';

export interface DeployOptions {
  readonly peers: readonly string[];
  readonly sessions: number;
  readonly rate: number;
  readonly newcomers: number;
  readonly windowSeconds: number;
  readonly spreadSeconds: number;
  readonly rounds: number;
  readonly proxyCore: number;
  readonly loadCore: number;
  readonly json: string | null;
  readonly write: string | null;
  readonly markdown: boolean;
}

/** What is left of the window when the last session was told to go, for those who answer late. */
const SPREAD_SHARE = 0.75;

export const USAGE = `npm run bench:deploy -- [options]

  --peers LIST      ${DEPLOY_PEERS.join(', ')} (default: these), and
                    ${STOPPED}: stopped and started, as one did without a restart
  --sessions N      open while the proxy is deployed (default: 2000; each takes two descriptors of the proxy)
  --rate N          messages a second of all of them together (default: 2000)
  --newcomers N     sessions a second that others open, use for one message and close (default: 100)
  --window N        seconds until the old generation has to be gone (default: 20); those proxies that can tell
                    their sessions to go do so in the first ${SPREAD_SHARE * 100} % of it
  --rounds N        interleaved rounds (default: 3)
  --proxy-core N    core of the proxies (default: 0)
  --load-core N     core of clients and backend (default: 1)
  --json FILE       write everything that was measured
  --markdown        print the tables (default unless --json or --write is given)
  --write FILE      put the tables between the markers of a document
`;

/** Throws with a message for people. */
export function parseDeployOptions(argv: readonly string[]): DeployOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      peers: { type: 'string', default: DEPLOY_PEERS.join(',') },
      sessions: { type: 'string', default: '2000' },
      rate: { type: 'string', default: '2000' },
      newcomers: { type: 'string', default: '100' },
      window: { type: 'string', default: '20' },
      rounds: { type: 'string', default: '3' },
      'proxy-core': { type: 'string', default: '0' },
      'load-core': { type: 'string', default: '1' },
      json: { type: 'string' },
      write: { type: 'string' },
      markdown: { type: 'boolean', default: false },
    },
  });
  const windowSeconds = Math.round(numberIn('--window', values.window, 4, 600));
  return {
    peers: list(values.peers),
    sessions: Math.round(numberIn('--sessions', values.sessions, 1, 9_000)),
    rate: numberIn('--rate', values.rate, 1, 100_000),
    newcomers: numberIn('--newcomers', values.newcomers, 0, 1_000),
    windowSeconds,
    spreadSeconds: Math.floor(windowSeconds * SPREAD_SHARE),
    rounds: Math.round(numberIn('--rounds', values.rounds, 1, 1_000)),
    proxyCore: numberIn('--proxy-core', values['proxy-core'], 0, 4_095),
    loadCore: numberIn('--load-core', values['load-core'], 0, 4_095),
    json: values.json ?? null,
    write: values.write ?? null,
    markdown: values.markdown || (values.json === undefined && values.write === undefined),
  };
}
