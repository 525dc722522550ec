import { expect, test } from 'vitest';
import { activationSockets } from '../../src/fleet/activation.ts';

test('sockets go by their numbers and their names, the first of a name', () => {
  const env = { LISTEN_PID: '42', LISTEN_FDS: '3', LISTEN_FDNAMES: 'web::web', HOME: '/' };
  expect([...activationSockets(env, 42)]).toEqual([
    ['fd:3', 3],
    ['fd:web', 3],
    ['fd:4', 4],
    ['fd:5', 5],
  ]);
  expect(env).toEqual({ HOME: '/' });
});

test.each([
  ['for another process', { LISTEN_PID: '41', LISTEN_FDS: '1' }],
  ['for nobody', { LISTEN_FDS: '1' }],
  ['no number', { LISTEN_PID: '42', LISTEN_FDS: '1x', LISTEN_FDNAMES: 'a' }],
  ['none', { LISTEN_PID: '42', LISTEN_FDS: '0' }],
  ['without end', { LISTEN_PID: '42', LISTEN_FDS: '99999' }],
])('%s: there are none, and the variables are gone all the same', (_, given) => {
  const env: Record<string, string | undefined> = { ...given };
  expect([...activationSockets(env, 42)]).toEqual([]);
  expect(env).toEqual({});
});

test('a name that is a number does not stand for another socket', () => {
  const env = { LISTEN_PID: '42', LISTEN_FDS: '2', LISTEN_FDNAMES: '4:a' };
  expect(activationSockets(env, 42).get('fd:4')).toBe(4);
});
