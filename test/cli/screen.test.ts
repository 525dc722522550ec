import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { TerminalScreen, wantsColour } from '../../src/cli/screen.ts';

class Output extends EventEmitter {
  columns = 0;
  rows = 0;
  text = '';

  write(text: string): void {
    this.text += text;
  }
}

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';

function screenOn(output: Output) {
  const signals = new EventEmitter();
  const done: string[] = [];
  const screen = new TerminalScreen({
    output,
    colour: false,
    signals,
    now: () => 0,
    end: () => done.push('end'),
    send: (signal) => done.push(signal),
  });
  return { screen, signals, done };
}

test('is left once, and listens to nothing any more', () => {
  const output = new Output();
  const { screen, signals } = screenOn(output);
  expect(signals.eventNames()).toEqual([]);
  screen.enter();
  screen.leave();
  screen.leave();
  expect(output.text).toBe(ENTER + LEAVE);
  expect([...signals.eventNames(), ...output.eventNames()]).toEqual([]);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])('%s leaves it before the process ends', (signal) => {
  const output = new Output();
  const { screen, signals, done } = screenOn(output);
  screen.enter();
  signals.emit(signal);
  expect([output.text, done]).toEqual([ENTER + LEAVE, ['end']]);
});

test('a stop leaves it, going on comes back to it and draws anew', async () => {
  const output = new Output();
  const { screen, signals, done } = screenOn(output);
  screen.enter();
  const paused = screen.pause(600_000);
  signals.emit('SIGTSTP');
  expect([output.text, done]).toEqual([ENTER + LEAVE, ['SIGSTOP']]);
  signals.emit('SIGCONT');
  await paused;
  expect(output.text).toBe(ENTER + LEAVE + ENTER);
  screen.leave();
});

test('another size is known at once, and ends the pause', async () => {
  const output = new Output();
  const { screen } = screenOn(output);
  expect([screen.columns, screen.rows]).toEqual([80, 24]);
  screen.enter();
  const paused = screen.pause(600_000);
  output.columns = 200;
  output.rows = 50;
  output.emit('resize');
  await paused;
  expect([screen.columns, screen.rows]).toEqual([200, 50]);
  screen.leave();
});

test('colour unless NO_COLOR says something, or the terminal can do nothing', () => {
  expect(wantsColour({ TERM: 'xterm' })).toBe(true);
  expect(wantsColour({ NO_COLOR: '' })).toBe(true);
  expect(wantsColour({ NO_COLOR: '0' })).toBe(false);
  expect(wantsColour({ TERM: 'dumb' })).toBe(false);
});
