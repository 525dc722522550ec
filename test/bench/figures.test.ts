// The arithmetic and the text of the benches.

import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { replaceSection } from '../../bench/support/document.ts';
import { Histogram } from '../../bench/support/histogram.ts';
import { descriptorsOf, isAlive, parseStat, processesNaming } from '../../bench/support/process-figures.ts';
import { median, pairedRatios, quantile, spreadOf } from '../../bench/support/statistics.ts';
import { bytes, figure, markdownTable } from '../../bench/support/table.ts';

test('a median is the middle value, or the mean of the two in the middle', () => {
  expect(median([3])).toBe(3);
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test('a quantile lies between the nearest values, and its ends are the extremes', () => {
  const values = [40, 10, 30, 20, 50];
  expect(quantile(values, 0)).toBe(10);
  expect(quantile(values, 0.25)).toBe(20);
  expect(quantile(values, 0.9)).toBeCloseTo(46, 9);
  expect(quantile(values, 1)).toBe(50);
  expect(spreadOf(values)).toEqual({ median: 30, min: 10, max: 50 });
});

test('ratios are taken within a round, and a round that one side lacks has none', () => {
  expect(pairedRatios([2, 9, 8], [1, 3])).toEqual([2, 3]);
  expect(pairedRatios([1], [0])).toEqual([]);
});

test('a histogram gives back each value within 1.6 %, from nanoseconds to minutes', () => {
  for (let ns = 1; ns < 2e11; ns *= 1.37) {
    const histogram = new Histogram();
    histogram.record(ns / 1e6);
    const found = histogram.quantile(0.5) * 1e6;
    expect(Math.abs(found - Math.floor(ns)) / ns, `${ns} ns`).toBeLessThan(0.016);
  }
});

test('quantiles of a histogram count from the smallest, and a reset forgets all', () => {
  const histogram = new Histogram();
  for (let i = 1; i <= 1000; i++) histogram.record(i);
  expect(histogram.total).toBe(1000);
  expect(histogram.quantile(0.5) / 500).toBeCloseTo(1, 1);
  expect(histogram.quantile(0.99) / 990).toBeCloseTo(1, 1);
  expect(histogram.quantile(1) / 1000).toBeCloseTo(1, 1);
  histogram.reset();
  expect(histogram.quantile(0.5)).toBeNaN();
});

test('what is too long or below zero stays inside the histogram', () => {
  const histogram = new Histogram();
  histogram.record(-1);
  histogram.record(1e12);
  expect(histogram.total).toBe(2);
  expect(histogram.quantile(0)).toBe(0);
  expect(histogram.quantile(1)).toBeGreaterThan(200_000);
});

test('figures have three digits', () => {
  const texts = [0, 0.12345, 1, 9.996, 12.345, 999.4, 1234, 12_345, 1_234_567].map(figure);
  expect(texts).toEqual(['0', '0.123', '1.00', '10.0', '12.3', '999', '1230', '12 300', '1 230 000']);
  expect(figure(Number.NaN)).toBe('-');
});

test('bytes have the largest unit of which there is one', () => {
  expect([1, 1023, 1024, 9.5 * 1024, 3 * 1024 ** 3].map(bytes)).toEqual([
    '1.00 B',
    '1020 B',
    '1.00 KiB',
    '9.50 KiB',
    '3.00 GiB',
  ]);
});

test('a table lines up its columns', () => {
  expect(markdownTable(['name', 'n'], [['a', '1.5'], ['long name']])).toBe(
    '| name      |   n |\n| --------- | --: |\n| a         | 1.5 |\n| long name |     |\n',
  );
});

test('a section is replaced between its markers and nowhere else', () => {
  const text = 'a\n<!-- x -->\nold\n<!-- /x -->\nb\n';
  const once = replaceSection(text, 'x', 'new\n');
  expect(once).toBe('a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb\n');
  expect(replaceSection(once, 'x', 'new')).toBe(once);
  expect(() => replaceSection(text, 'y', 'new')).toThrow('<!-- y -->');
});

test('CPU time is read behind the name of a process, whatever that holds', () => {
  const text = `7 (a ) b) S 3 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 5 0 0\n`;
  expect(parseStat(text)).toEqual({ parent: 3, cpuSeconds: 2 });
});

test.runIf(process.platform === 'linux')('open descriptors are counted, and a process that has ended has none', () => {
  const before = descriptorsOf([process.pid]);
  const opened = openSync('/dev/null', 'r');
  expect(descriptorsOf([process.pid])).toBe(before + 1);
  closeSync(opened);
  expect(descriptorsOf([2 ** 30])).toBe(0);
});

test.runIf(process.platform === 'linux')(
  'processes are found by what their command line names, but not this one',
  () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'named-by-this-test']);
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    expect(processesNaming('named-by-this-test')).toEqual([child.pid]);
    expect([process.pid, 2 ** 30].map(isAlive)).toEqual([true, false]);
  },
);
