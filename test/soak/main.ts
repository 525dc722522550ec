// `npm run soak`: framegate under everything at once for as long as asked, or honest clients on slow links. Exits 1
// when anything was not as it must be.

import { markdownTable } from '../../bench/support/table.ts';
import type { LogLine } from '../support/log-tap.ts';
import { parseSoakOptions, type SoakOptions, USAGE } from './options.ts';
import { ProxyProcess } from './proxy-process.ts';
import { runSlowLink, type SlowLinkPlan, TransferBackend } from './slow-link.ts';
import { runSoak } from './soak.ts';

const KIB = 1024;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let options: SoakOptions;
  try {
    options = parseSoakOptions(argv);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  return options.slowLink ? slowLink(options.seed) : soak(options);
}

async function soak({ seed, minutes }: SoakOptions): Promise<number> {
  say(`seed ${seed}: ${minutes} minutes, and what it takes to end`);
  const { faultCount, faults, sessions, counts, memory } = await runSoak({ seed, seconds: minutes * 60, say });
  const rows = [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([name, count]) => [name, String(count)]);
  say('');
  say(markdownTable(['what', 'count'], [...rows, ['sessions, each byte accounted for', String(sessions)]]));
  say(memory);
  for (const fault of faults) say(`FAULT ${fault}`);
  say(`seed ${seed}: ${faultCount} violations`);
  return faultCount === 0 ? 0 : 1;
}

async function slowLink(seed: number): Promise<number> {
  const plan: SlowLinkPlan = {
    seed,
    messages: 16,
    messageBytes: KIB * KIB,
    bytesPerSecond: 50 * KIB,
    latencyMs: 50,
  };
  const backend = await TransferBackend.listen(plan);
  const ends: LogLine[] = [];
  const proxy = new ProxyProcess(
    {
      listeners: [{ name: 'public', address: '127.0.0.1:0' }],
      routes: [{ name: 'slow', upstream: `ws://127.0.0.1:${backend.port}` }],
    },
    (line) => {
      if (line.event === 'session.end') ends.push(line);
    },
    (text) => say(`not a log line: ${text}`),
  );
  say(`seed ${seed}: 16 MiB each way at 50 KiB/s, default limits`);
  const progress = setInterval(() => {
    say(`  uploaded ${backend.uploadedBy('upload')} and ${backend.uploadedBy('both')} of 16 MiB`);
  }, 30_000);
  const results = await runSlowLink(plan, await proxy.port('public'), backend);
  clearInterval(progress);
  for (const { job, seconds, up, down, pings, failure } of results) {
    say(`${job}: ${failure ?? 'complete'} after ${seconds.toFixed(1)} s, ${up} MiB up, ${down} down, ${pings} pings`);
  }
  proxy.signal('SIGTERM');
  const { code } = await proxy.exited;
  backend.close();
  for (const end of ends) say(`  ${String(end.path)}: ${String(end.reason)} ${JSON.stringify(end.from_backend)}`);
  // A client that got all it wanted may not have noticed that it was cut off behind that.
  const endedWell = ends.length === results.length && ends.every(({ reason }) => reason === 'client_close');
  return code === 0 && endedWell && results.every(({ failure }) => failure === null) ? 0 : 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
