// Sees the longest turn of framegate's event loop from inside: a module that it loads before its own, which tells when
// it is sent a signal that framegate does not listen to. Exact to a millisecond, where its own metric counts in tens.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const ANSWER_MS = 5_000;
const LOOK_MS = 10;
const NS_PER_MS = 1e6;

/** Flags for framegate; each process writes a file of its own. */
export function loopWatchFlags(file: string): string[] {
  const script = `
    import { renameSync, writeFileSync } from 'node:fs';
    import { monitorEventLoopDelay } from 'node:perf_hooks';
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    process.on('SIGWINCH', () => {
      const file = ${JSON.stringify(file)} + '.' + process.pid;
      writeFileSync(file + '.part', String(delay.max));
      renameSync(file + '.part', file);
      delay.reset();
    });`;
  return ['--import', `data:text/javascript,${encodeURIComponent(script)}`];
}

/** Milliseconds of its longest turn since the last call, or since its start. */
export async function longestTurnMs(file: string, pid: number): Promise<number> {
  const answer = `${file}.${pid}`;
  rmSync(answer, { force: true });
  process.kill(pid, 'SIGWINCH');
  const deadline = performance.now() + ANSWER_MS;
  while (!existsSync(answer)) {
    if (performance.now() > deadline) throw new Error('the proxy does not tell of its event loop');
    await delay(LOOK_MS);
  }
  return Number(readFileSync(answer, 'utf8')) / NS_PER_MS;
}
