// Runs micro cases with tinybench and turns what it measured into nanoseconds per operation.

import { Bench } from 'tinybench';
import { quantile } from '../support/statistics.ts';
import type { MicroCase, MicroModule, MicroReport, MicroResult } from './micro-case.ts';

const NS_PER_MS = 1e6;
const MODULES = [
  'scanner-cases',
  'relay-cases',
  'handshake-cases',
  'wheel-cases',
  'router-cases',
  'address-cases',
  'log-cases',
  'balance-cases',
  'auth-cases',
];

export interface RunOptions {
  /** Milliseconds for each case, and before that a third of it to warm up. */
  readonly timeMs: number;
  readonly only: RegExp | null;
  onResult?(result: MicroResult): void;
}

export async function runCases(options: RunOptions): Promise<MicroReport> {
  const results: MicroResult[] = [];
  const missing: string[] = [];
  for (const name of MODULES) {
    try {
      const module: MicroModule = await import(`./${name}.js`);
      for (const one of module.cases()) {
        if (options.only !== null && !options.only.test(one.name)) continue;
        const result = await runCase(one, options.timeMs);
        options.onResult?.(result);
        results.push(result);
      }
    } catch (error) {
      missing.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { results, missing };
}

export async function runCase(one: MicroCase, timeMs: number): Promise<MicroResult> {
  const bench = new Bench({
    time: timeMs,
    warmupTime: timeMs / 3,
    retainSamples: true,
    throws: true,
    timestampProvider: 'hrtimeNow',
  });
  const judge = (found: number) => {
    if (found !== one.expected) throw new Error(`${one.name} came to ${found}, expected ${one.expected}`);
  };
  judge(await one.run());
  const isLate = one.run() instanceof Promise;
  if (isLate) bench.add(one.name, async () => judge(await one.run()), { async: true });
  else bench.add(one.name, () => judge(Number(one.run())), { async: false });
  const [ran] = isLate ? await bench.run() : bench.runSync();
  const result = ran?.result;
  if (result === undefined || !('latency' in result) || result.latency.samples === undefined) {
    throw new Error(`${one.name} was not measured`);
  }
  const { samples } = result.latency;
  const nsOf = (q: number) => (quantile(samples, q) * NS_PER_MS) / one.operations;
  const ns = nsOf(0.5);
  return {
    name: one.name,
    unit: one.unit,
    ns,
    low: nsOf(0.01),
    high: nsOf(0.99),
    bytesPerSecond: (one.bytes / one.operations / ns) * 1e9,
    samples: samples.length,
  };
}
