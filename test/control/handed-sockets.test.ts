import { closeSync, fstatSync, openSync } from 'node:fs';
import { expect, test } from 'vitest';
import { HandedSockets } from '../../src/control/handed-sockets.ts';

const at = (fd: number) => ({ fd, handle: null });

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

test('each is taken once, by any of its names, and goes on by all of them', () => {
  const handed = new HandedSockets(
    new Map([
      ['fd:3', 9],
      ['fd:web', 9],
      ['fd:4', 8],
    ]),
  );
  expect([handed.has('fd:web'), handed.take('fd:web'), handed.take('fd:3'), handed.has('fd:3')]).toEqual([
    true,
    9,
    null,
    false,
  ]);
  expect(
    new Map(
      handed.handOn([
        ['fd:web', at(7)],
        ['unix:/a', at(6)],
      ]),
    ),
  ).toEqual(
    new Map([
      ['fd:4', at(8)],
      ['fd:3', at(7)],
      ['fd:web', at(7)],
      ['unix:/a', at(6)],
    ]),
  );
});

test('what nobody wants is closed, unless a service manager gave it', () => {
  const [own, foreign] = [openSync('/dev/null', 'r'), openSync('/dev/null', 'r')];
  const handed = new HandedSockets(
    new Map([
      ['unix:/gone', own],
      ['fd:3', foreign],
    ]),
  );
  handed.closeRest();
  expect([isOpen(own), isOpen(foreign), handed.take('unix:/gone'), handed.take('fd:3')]).toEqual([
    false,
    true,
    null,
    foreign,
  ]);
  closeSync(foreign);
});
