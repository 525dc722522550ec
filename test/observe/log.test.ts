import { describe, expect, test } from 'vitest';
import { Log, type LogOptions } from '../../src/observe/log.ts';
import { FakeClock } from '../support/fake-clock.ts';

const WALL = Date.UTC(2024, 1, 29, 12, 0, 0, 5);

function makeLog(change: Partial<LogOptions> = {}) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = new Log({
    level: 'info',
    format: 'json',
    lines_per_second: Number.POSITIVE_INFINITY,
    clock,
    destination: { write: (line) => void lines.push(line) },
    wallClock: () => WALL,
    ...change,
  });
  const events = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { clock, lines, log, events };
}

describe('a line', () => {
  test('is one JSON object: time, level, event, then the fields in their order, and nothing else', () => {
    const { lines, log } = makeLog();
    log.event('info', 'listening', { listener: 'public', address: '127.0.0.1:8080' });
    log.event('error', 'bare');
    const begin = '{"time":"2024-02-29T12:00:00.005Z"';
    expect(lines).toEqual([
      `${begin},"level":"info","event":"listening","listener":"public","address":"127.0.0.1:8080"}\n`,
      `${begin},"level":"error","event":"bare"}\n`,
    ]);
  });

  test('leaves out what is undefined, writes null for null and for what JSON has no number for', () => {
    const { events, log } = makeLog();
    log.event('info', 'x', { a: undefined, b: null, c: Number.POSITIVE_INFINITY, d: { e: Number.NaN, f: [1, true] } });
    expect(events()[0]).toMatchObject({ b: null, c: null, d: { e: null, f: [1, true] } });
    expect(Object.keys(events()[0] ?? {})).toEqual(['time', 'level', 'event', 'b', 'c', 'd']);
  });

  test('has no name that a message of a logger has', () => {
    const { events, log } = makeLog();
    log.event('warn', 'x', {});
    for (const name of ['msg', 'pid', 'hostname', 'v']) expect(events()[0]).not.toHaveProperty(name);
  });
});

describe('levels', () => {
  const levels = ['trace', 'debug', 'info', 'warn', 'error'] as const;

  test.each(levels)('%s shows itself and what is graver, and says so', (level) => {
    const { events, log } = makeLog({ level });
    for (const each of levels) log.event(each, 'x');
    const shown = levels.slice(levels.indexOf(level));
    expect(events().map((line) => line.level)).toEqual(shown);
    expect(levels.filter((each) => log.enabled(each))).toEqual(shown);
  });
});

describe('L1: only 0x20-0x7E leaves', () => {
  const nasty = [
    ['CR LF', 'a\r\nb'],
    ['NUL and DEL', '\u0000\u007f'],
    ['ESC [', '\u001b[31m'],
    ['C1 CSI', '\u009b31m'],
    ['NEL', '\u0085'],
    ['latin1', 'caf\u00e9'],
    ['U+2028', '\u2028\u2029'],
    ['U+202E', '\u202egnp.exe'],
    ['BOM', '\ufeff'],
    ['a pair of surrogates', '\u{1f600}'],
    ['lone surrogates', '\ud800x\udc00'],
    ['quotes and backslashes', '"\\u0041\\'],
  ] as const;

  test.each(nasty)('L1: %s, in values, in names and in nested ones', (_what, text) => {
    const { lines, log, events } = makeLog();
    log.event('info', 'x', { value: text, [text]: 1, nested: { deep: [text], long: text.repeat(200) } });
    expect(lines[0]).toMatch(/^[\x20-\x7e]+\n$/);
    expect(events()[0]).toMatchObject({ value: text, [text]: 1, nested: { deep: [text], long: text.repeat(200) } });
  });

  test.each(nasty)('L1: %s in the pretty format', (_what, text) => {
    const { lines, log } = makeLog({ format: 'pretty' });
    log.event('info', 'x', { value: text, error: text, [text]: 1, nested: { deep: [text] } });
    expect(lines[0]).toMatch(/^[\x20-\x7e]+\n$/);
  });
});

describe('the format', () => {
  const isJson = (change: Partial<LogOptions>): boolean => {
    const { lines, log } = makeLog(change);
    log.event('warn', 'handshake.refused', { status: 404, error: 'no_route' });
    expect(lines.length).toBe(1);
    return lines[0]?.startsWith('{') ?? false;
  };

  test('auto is pretty on a terminal, and JSON for all that is none', () => {
    expect(isJson({ format: 'auto', isTerminal: true })).toBe(false);
    expect(isJson({ format: 'auto', isTerminal: false })).toBe(true);
    expect(isJson({ format: 'auto' })).toBe(true);
  });

  test('json and pretty are what they say, on a terminal and elsewhere', () => {
    for (const isTerminal of [true, false]) {
      expect([isJson({ format: 'json', isTerminal }), isJson({ format: 'pretty', isTerminal })]).toEqual([true, false]);
    }
  });

  test('pretty is one line: when, how grave, what, then what is known', () => {
    const { lines, log } = makeLog({ format: 'pretty' });
    log.event('warn', 'config.rejected', { problems: ['a\nb'] });
    expect(lines[0]).toMatch(/^\d\d:\d\d:00\.005 WARN {2}config\.rejected {6}problems=\["a\\nb"\]\n$/);
  });
});

describe('a flood', () => {
  function flood(log: Log, count: number, event: string, error?: string): void {
    for (let i = 0; i < count; i++) log.event('info', event, { error });
  }

  test('100 lines of one event and error in a second are written, the 101st is counted', () => {
    const { clock, events, log } = makeLog();
    flood(log, 100, 'x');
    expect(events().length).toBe(100);
    flood(log, 1, 'x');
    expect(events().length).toBe(100);
    log.tick(clock.now());
    clock.advance(999);
    log.tick(clock.now());
    expect(events().length).toBe(100);
    clock.advance(1);
    log.tick(clock.now());
    expect(events().slice(100)).toEqual([
      { time: expect.any(String), level: 'warn', event: 'log.suppressed', count: 1, of: 'x' },
    ]);
    log.tick(clock.now());
    clock.advance(1_000);
    log.tick(clock.now());
    expect(events().length).toBe(101);
  });

  test('each error of an event has a hundred of its own, and its own report', () => {
    const { clock, events, log } = makeLog();
    flood(log, 150, 'handshake.refused', 'no_route');
    flood(log, 100, 'handshake.refused', 'key');
    flood(log, 103, 'handshake.refused');
    expect(events().length).toBe(300);
    clock.advance(1_000);
    log.tick(clock.now());
    expect(events().slice(300)).toMatchObject([
      { count: 50, of: 'handshake.refused', error: 'no_route' },
      { count: 3, of: 'handshake.refused' },
    ]);
  });

  test('without ticks the next event reports what the last second held back', () => {
    const { clock, events, log } = makeLog();
    flood(log, 110, 'x');
    clock.advance(1_000);
    flood(log, 1, 'y');
    expect(events().slice(100)).toMatchObject([{ event: 'log.suppressed', count: 10, of: 'x' }, { event: 'y' }]);
  });

  test('the next second begins with a hundred lines', () => {
    const { clock, events, log } = makeLog();
    flood(log, 110, 'x');
    clock.advance(1_000);
    flood(log, 100, 'x');
    expect(events().filter((line) => line.event === 'x').length).toBe(200);
  });

  test('lines of a level that is off do not count', () => {
    const { events, log } = makeLog();
    for (let i = 0; i < 200; i++) log.event('debug', 'x');
    flood(log, 100, 'x');
    expect(events().length).toBe(100);
  });

  test('flush reports what is held back without waiting for the second to end', async () => {
    const { events, log } = makeLog();
    flood(log, 101, 'x');
    await log.flush();
    expect(events().at(-1)).toMatchObject({ event: 'log.suppressed', count: 1 });
  });

  test('no report is written when warnings are off', async () => {
    const { events, log } = makeLog({ level: 'error' });
    for (let i = 0; i < 200; i++) log.event('error', 'x');
    await log.flush();
    expect(events().length).toBe(100);
  });

  test('session.end is written for every session, and a flood of others does not hide one', () => {
    const { clock, events, log } = makeLog();
    flood(log, 300, 'x');
    for (let i = 0; i < 5_000; i++) log.eventOf('info', 'session.end', i % 2 === 0 ? 'idle' : 'drain', () => ({ i }));
    expect(
      events()
        .filter(({ event }) => event === 'session.end')
        .map(({ i }) => i),
    ).toEqual([...Array(5_000).keys()]);
    clock.advance(1_000);
    log.tick(clock.now());
    expect(events().filter(({ event }) => event === 'log.suppressed')).toMatchObject([{ count: 200, of: 'x' }]);
  });

  test('lines_per_second caps all lines together, and tells what it left out by event and reason', () => {
    const { clock, events, log } = makeLog({ lines_per_second: 10 });
    flood(log, 4, 'x');
    for (let i = 0; i < 9; i++) log.eventOf('info', 'session.end', i < 7 ? 'idle' : 'drain', () => ({ i }));
    flood(log, 3, 'handshake.refused', 'key');
    expect(events().length).toBe(10);
    clock.advance(1_000);
    log.tick(clock.now());
    expect(
      events()
        .slice(10)
        .map(({ time, level, event, ...rest }) => rest),
    ).toEqual([
      { count: 1, of: 'session.end', reason: 'idle' },
      { count: 2, of: 'session.end', reason: 'drain' },
      { count: 3, of: 'handshake.refused', error: 'key' },
    ]);
    const makeFields = (): never => {
      throw new Error('fields of a line that is not written are not made');
    };
    flood(log, 10, 'x');
    log.eventOf('info', 'session.end', 'idle', makeFields);
    log.retune({ level: 'info', lines_per_second: Number.POSITIVE_INFINITY });
    flood(log, 10, 'x');
    expect(events().length).toBe(10 + 3 + 20);
  });

  test('256 pairs are told apart, more share one hundred lines', async () => {
    const { events, log } = makeLog();
    for (let i = 0; i < 256; i++) flood(log, 1, 'x', `e${i}`);
    for (let i = 256; i < 1_000; i++) flood(log, 1, 'x', `e${i}`);
    expect(events().length).toBe(356);
    await log.flush();
    expect(events().at(-1)).toMatchObject({ event: 'log.suppressed', count: 644, of: '*' });
  });
});

describe('an output that fails', () => {
  test('what was lost is told once, as soon as a line gets through', () => {
    let isFull = true;
    const lines: string[] = [];
    const write = (line: string): void => {
      if (isFull) throw new Error('full');
      lines.push(line);
    };
    const { clock, log } = makeLog({ destination: { write } });
    const nextSecond = (): void => {
      clock.advance(1_000);
      log.tick(clock.now());
    };
    for (let i = 0; i < 3; i++) log.event('info', 'a');
    nextSecond();
    isFull = false;
    nextSecond();
    nextSecond();
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 'warn', event: 'log.dropped', count: 4 }]);
  });

  test('E20: never throws; its lines are counted, and it is tried again', () => {
    let isFull = true;
    const lines: string[] = [];
    const { log } = makeLog({
      destination: {
        write: (line) => {
          if (isFull) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
          lines.push(line);
        },
      },
    });
    log.event('info', 'a');
    log.event('info', 'b');
    expect(log.linesDropped).toBe(2);
    isFull = false;
    log.event('info', 'c');
    expect([log.linesDropped, lines.length]).toEqual([2, 1]);
  });

  test('a value that cannot be written as JSON does not throw either', () => {
    const { lines, log } = makeLog();
    const round: Record<string, unknown> = {};
    round.self = round;
    const thrower = {
      toJSON: () => {
        throw new Error('no');
      },
    };
    log.event('info', 'x', { round, big: 10n, thrower });
    expect(lines.length + log.linesDropped).toBe(1);
  });
});
