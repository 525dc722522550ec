import { afterAll, expect, test } from 'vitest';
import { leftOf, sumOfFigures, writeFigures } from '../../src/observe/runtime-figures.ts';
import { RuntimeMetrics } from '../../src/observe/runtime-metrics.ts';
import { TextFormat } from '../../src/observe/text-format.ts';

const runtime = new RuntimeMetrics(process);
afterAll(() => runtime.stop());

function textOf(figures: Parameters<typeof writeFigures>[1]): Map<string, number> {
  const format = new TextFormat();
  writeFigures(format, figures);
  const samples = format
    .take()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

test('what processes use is added up; of lags the worst is told, of starts the first', async () => {
  const own = { ...(await runtime.read()), startedAt: 50 };
  // As it comes from another process.
  const other = structuredClone({ ...own, startedAt: 70, lag: { ...own.lag, max: own.lag.max + 1, min: 0.25 } });
  const [one, two] = [textOf(own), textOf(sumOfFigures(own, [other]))];
  const alike = /^(nodejs_version_info|nodejs_eventloop_lag)/;
  for (const [name, value] of one) {
    if (name === 'process_start_time_seconds') expect(two.get(name)).toBe(50);
    else if (!alike.test(name)) expect([name, two.get(name)]).toEqual([name, 2 * value]);
  }
  expect(two.get('nodejs_eventloop_lag_max_seconds')).toBe(own.lag.max + 1);
  expect(two.get('nodejs_eventloop_lag_min_seconds')).toBe(Math.min(own.lag.min, 0.25));
  expect([...two.keys()]).toEqual([...one.keys()]);
});

test('of a process that is gone there is what it has used up', async () => {
  const own = await runtime.read();
  const [one, two] = [textOf(own), textOf(sumOfFigures(own, [leftOf(own)]))];
  for (const [name, value] of one) {
    const isUsedUp = /_total$|_(sum|count|bucket)\b/.test(name) && !name.startsWith('nodejs_active');
    expect([name, two.get(name)]).toEqual([name, isUsedUp ? 2 * value : value]);
  }
});
