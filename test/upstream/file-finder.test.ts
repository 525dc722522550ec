// Targets by a file: when it is read again, and what of it is told. On a real file system and a fake clock.

import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import type { UpstreamMeans } from '../../src/upstream/means.ts';
import type { Answer, Failure } from '../../src/upstream/sources/discovery.ts';
import { FileFinder } from '../../src/upstream/sources/file.ts';
import { FOUND_MAX } from '../../src/upstream/sources/held-list.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { upstreamMeans } from '../support/upstreams.ts';

const POLL_MS = 5_000;
const AGAIN_MS = 60_000;
const DEADLINE_MS = 5_000;
const STEP_MS = 50;
/** As many as the finder makes for one look, and one more. */
const ROUND_TRIPS = 8;

function list(...names: readonly string[]): string {
  return JSON.stringify(names.map((name) => ({ name, url: 'ws://127.0.0.1:1' })));
}

class Rig {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly folder = mkdtempSync(join(tmpdir(), 'fg-'));
  readonly path: string;
  readonly finder: FileFinder;
  readonly answers: Answer[] = [];
  readonly failures: Failure[] = [];
  unchanged = 0;

  constructor(name = 'targets.json', own: Partial<UpstreamMeans> = {}) {
    this.path = join(this.folder, name);
    const means = upstreamMeans({ clock: this.clock, wheel: this.wheel, ...own });
    this.finder = new FileFinder({ kind: 'file', path: this.path, path_text: name }, means);
    atTestEnd(() => {
      this.finder.stop();
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  start(): this {
    this.finder.start({
      onAnswer: (answer) => this.answers.push(answer),
      onUnchanged: () => (this.unchanged += 1),
      onFailure: (failure) => this.failures.push(failure),
    });
    return this;
  }

  get names(): string {
    return (
      this.answers
        .at(-1)
        ?.targets.map(({ name }) => name)
        .join(' ') ?? 'nothing'
    );
  }

  /**
   * Time passes, by `ms` in all at most, in small steps. Each waits for the file system as often as a look does, so
   * that it cannot outrun the finder on a busy machine.
   */
  async until(isSo: () => boolean, ms: number): Promise<void> {
    const endAt = performance.now() + DEADLINE_MS;
    let left = ms;
    while (!isSo()) {
      if (performance.now() > endAt) throw new Error(`not so: ${this.names}, ${JSON.stringify(this.failures.at(-1))}`);
      for (let trip = 0; trip < ROUND_TRIPS; trip += 1) await stat(this.folder);
      if (left <= 0) continue;
      left -= STEP_MS;
      this.pass(STEP_MS);
    }
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }

  async untilNames(names: string, ms: number): Promise<void> {
    await this.until(() => this.names === names, ms);
  }
}

/** Far below what passes between two looks that nobody asked for. */
const SOON_MS = 2_500;

describe('a file that changes', () => {
  test('is read at the start, and soon after it was written over or replaced', async () => {
    const rig = new Rig();
    writeFileSync(rig.path, list('a'));
    await rig.start().untilNames('a', 0);
    writeFileSync(rig.path, list('a', 'b'));
    await rig.untilNames('a b', SOON_MS);
    writeFileSync(`${rig.path}.new`, list('c'));
    renameSync(`${rig.path}.new`, rig.path);
    await rig.untilNames('c', SOON_MS);
    expect(rig.failures).toEqual([]);
  });

  test('is followed through a link that is swapped, as Kubernetes does it with ConfigMaps', async () => {
    const rig = new Rig();
    const version = (name: string, text: string): void => {
      mkdirSync(join(rig.folder, name));
      writeFileSync(join(rig.folder, name, 'targets.json'), text);
      symlinkSync(name, join(rig.folder, '..data_tmp'));
      renameSync(join(rig.folder, '..data_tmp'), join(rig.folder, '..data'));
    };
    version('..1', list('a'));
    symlinkSync(join('..data', 'targets.json'), rig.path);
    await rig.start().untilNames('a', 0);
    version('..2', list('b'));
    await rig.untilNames('b', SOON_MS);
  });

  test('is seen where no folder tells of it, with the next look', async () => {
    const rig = new Rig();
    const elsewhere = join(rig.folder, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'list.json'), list('a'));
    symlinkSync(join(elsewhere, 'list.json'), rig.path);
    await rig.start().untilNames('a', 0);
    writeFileSync(join(elsewhere, 'list.json'), list('b'));
    await rig.untilNames('b', POLL_MS + SOON_MS);
  });

  test('that is not there yet, nor its folder, is a failure until it is', async () => {
    const rig = new Rig('later/targets.json').start();
    await rig.until(() => rig.failures.length > 0, 0);
    expect(rig.failures[0]).toEqual({ error: 'ENOENT', fields: { file: 'later/targets.json', problems: undefined } });
    mkdirSync(join(rig.folder, 'later'));
    writeFileSync(rig.path, list('a'));
    await rig.untilNames('a', POLL_MS + SOON_MS);
    unlinkSync(rig.path);
    const { length } = rig.failures;
    await rig.until(() => rig.failures.length > length, SOON_MS);
    writeFileSync(rig.path, list('b'));
    await rig.untilNames('b', SOON_MS);
  });

  test.each([
    ['removed', (folder: string) => rmSync(folder, { recursive: true })],
    ['moved away', (folder: string) => renameSync(folder, `${folder}-old`)],
  ])('is watched in the folder that takes the place of one that was %s', async (_, remove) => {
    const rig = new Rig('folder/targets.json');
    const folder = join(rig.folder, 'folder');
    mkdirSync(folder);
    writeFileSync(rig.path, list('a'));
    await rig.start().untilNames('a', 0);
    remove(folder);
    mkdirSync(folder);
    writeFileSync(rig.path, list('b'));
    await rig.untilNames('b', POLL_MS + SOON_MS);
    const { unchanged } = rig;
    await rig.until(() => rig.unchanged > unchanged, SOON_MS);
    writeFileSync(rig.path, list('c'));
    await rig.untilNames('c', SOON_MS);
  });

  test('while it is looked at is looked at again afterwards', async () => {
    let onChange = () => {};
    const folders = {
      watch: (_: string, told: () => void) => {
        onChange = told;
        return { await() {}, close() {} };
      },
    };
    const rig = new Rig('targets.json', { folders: folders as unknown as UpstreamMeans['folders'] }).start();
    onChange();
    // The file system has not answered yet.
    rig.pass(SOON_MS);
    await rig.until(() => rig.failures.length === 2, SOON_MS);
  });

  test('and is still being written is left alone until it is quiet, for 2 s at most', async () => {
    const rig = new Rig();
    writeFileSync(rig.path, list('a'));
    await rig.start().untilNames('a', 0);
    const beganAt = rig.clock.now();
    const nameOf = (write: number) => `b${String(write).padStart(6, '0')}`;
    let writes = 0;
    await rig.until(() => {
      writes += 1;
      // Of one length and over what is there: it is never empty, whenever it is read.
      writeFileSync(rig.path, list(nameOf(writes)), { flag: 'r+' });
      return rig.names !== 'a';
    }, POLL_MS);
    expect(rig.clock.now() - beganAt).toBeGreaterThanOrEqual(2_000);
    await rig.untilNames(nameOf(writes), SOON_MS);
  });

  test('one that stays the same is not read again, and says so', async () => {
    const rig = new Rig();
    writeFileSync(rig.path, list('a'));
    await rig.start().untilNames('a', 0);
    await rig.until(() => rig.unchanged >= 3, 4 * POLL_MS);
    expect([rig.answers.length, rig.failures]).toEqual([1, []]);
  });
});

describe('a file that is no list', () => {
  test('broken: what is wrong and where, again with each look; what is good again counts', async () => {
    const rig = new Rig();
    writeFileSync(rig.path, '[{ "url": "ftp://a" }]');
    await rig.start().until(() => rig.failures.length > 0, 0);
    const failure = {
      error: 'invalid',
      fields: {
        file: 'targets.json',
        problems: [expect.objectContaining({ line: 1, column: 11, path: '[0].url', message: expect.any(String) })],
      },
    };
    await rig.until(() => rig.failures.length > 1, 2 * POLL_MS);
    expect(rig.failures.slice(0, 2)).toEqual([failure, failure]);
    writeFileSync(rig.path, list('a'));
    await rig.untilNames('a', SOON_MS);
  });

  test('that stays as it was is read again after a minute: what was missing may have been ours', async () => {
    const lists = upstreamMeans();
    let reads = 0;
    const rig = new Rig('targets.json', {
      readTargets: async (bytes, path) => {
        reads += 1;
        const problem = { line: null, column: null, path: '', message: 'no thread' };
        return reads === 1 ? { problems: [problem] } : lists.readTargets(bytes, path);
      },
    });
    writeFileSync(rig.path, list('a'));
    const beganAt = rig.clock.now();
    await rig.start().until(() => rig.failures.length > 0, 0);
    await rig.untilNames('a', AGAIN_MS + POLL_MS);
    expect([reads, rig.clock.now() - beganAt >= AGAIN_MS]).toEqual([2, true]);
  });

  test('too many targets, too large, a folder: failures', async () => {
    const many = new Rig();
    writeFileSync(many.path, list(...Array.from({ length: FOUND_MAX + 1 }, (_, at) => `t${at}`)));
    await many.start().until(() => many.failures.length > 0, 0);
    const large = new Rig();
    writeFileSync(large.path, Buffer.alloc(8 * 1024 * 1024 + 1, ' '));
    await large.start().until(() => large.failures.length > 0, 0);
    const folder = new Rig();
    mkdirSync(folder.path);
    await folder.start().until(() => folder.failures.length > 0, 0);
    expect([many, large, folder].map(({ failures }) => failures[0]?.error)).toEqual([
      'too_many',
      'too_large',
      'EISDIR',
    ]);
  });
});

test('after its end nothing is told and nothing is left', async () => {
  const rig = new Rig();
  writeFileSync(rig.path, list('a'));
  await rig.start().untilNames('a', 0);
  rig.finder.stop();
  writeFileSync(rig.path, list('b'));
  for (let turn = 0; turn < 500; turn += 1) await nextTurn();
  expect([rig.names, rig.wheel.size, rig.failures]).toEqual(['a', 0, []]);
});
