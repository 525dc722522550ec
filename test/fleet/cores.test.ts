// How many workers `auto` means.

import { expect, test } from 'vitest';
import { usableCores } from '../../src/fleet/cores.ts';

function coresWith(files: Readonly<Record<string, string>>, affine = 8): number {
  const read = (file: string): string => {
    const text = files[file];
    if (text === undefined) throw new Error(`ENOENT ${file}`);
    return text;
  };
  return usableCores(read, affine);
}

test('as many as the affinity has, where no quota is', () => {
  expect(coresWith({})).toBe(8);
  expect(coresWith({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' })).toBe(8);
  expect(coresWith({ '/proc/self/cgroup': 'nonsense' })).toBe(8);
});

test('whole cores of a quota, of its group or one above, and at least one', () => {
  const group = { '/proc/self/cgroup': '0::/a/b\n' };
  expect(coresWith({ ...group, '/sys/fs/cgroup/a/b/cpu.max': '250000 100000\n' })).toBe(2);
  expect(coresWith({ ...group, '/sys/fs/cgroup/a/b/cpu.max': '50000 100000\n' })).toBe(1);
  const above = { '/sys/fs/cgroup/a/b/cpu.max': 'max 100000\n', '/sys/fs/cgroup/a/cpu.max': '300000 100000\n' };
  expect(coresWith({ ...group, ...above })).toBe(3);
  expect(coresWith({ ...group, ...above }, 2)).toBe(2);
});

test('the quota of version 1, and -1 for none', () => {
  const group = { '/proc/self/cgroup': '5:memory:/x\n4:cpu,cpuacct:/c\n' };
  const quota = (text: string) => ({
    ...group,
    '/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us': text,
    '/sys/fs/cgroup/cpu/c/cpu.cfs_period_us': '100000\n',
  });
  expect(coresWith(quota('400000\n'))).toBe(4);
  expect(coresWith(quota('-1\n'))).toBe(8);
});
