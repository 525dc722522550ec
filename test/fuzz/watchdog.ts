// Ends the process when one case never does: a loop without end would otherwise take the seed of its case with it.

import { Worker } from 'node:worker_threads';

export interface Watchdog {
  /** A case begins; `again` says how it is run alone. */
  begin(again: string): void;
  end(): Promise<number>;
}

/** How often a case may be seen unchanged, a second apart. */
const SECONDS_MAX = 120;
const TEXT_BYTES = 256;

/** Shared: the number of cases begun, then the text of the last, in UTF-16. */
const SCRIPT = `
const { workerData: { shared, secondsMax } } = require('node:worker_threads');
const count = new Int32Array(shared, 0, 1);
const text = new Uint16Array(shared, 4);
let seen = -1;
let seconds = 0;
setInterval(() => {
  const now = Atomics.load(count, 0);
  seconds = now === seen ? seconds + 1 : 0;
  seen = now;
  if (seconds < secondsMax) return;
  const again = String.fromCharCode(...text.subarray(0, text.indexOf(0)));
  require('node:fs').writeSync(1, 'FAILED: no end after ' + secondsMax + ' s: run it again with ' + again + '\\n');
  process.kill(process.pid, 'SIGKILL');
}, 1000);
`;

export function startWatchdog(secondsMax: number = SECONDS_MAX): Watchdog {
  const shared = new SharedArrayBuffer(4 + 2 * TEXT_BYTES);
  const count = new Int32Array(shared, 0, 1);
  const text = new Uint16Array(shared, 4);
  const worker = new Worker(SCRIPT, { eval: true, execArgv: [], workerData: { shared, secondsMax } });
  worker.unref();
  return {
    begin: (again) => {
      text.fill(0);
      for (let i = 0; i < Math.min(again.length, TEXT_BYTES - 1); i += 1) text[i] = again.charCodeAt(i);
      Atomics.add(count, 0, 1);
    },
    end: () => worker.terminate(),
  };
}
