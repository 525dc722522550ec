// The command line of the load bench, and the tables it stands on.

import { describe, expect, test } from 'vitest';
import { AUTH_METHODS } from '../../bench/load/auth-methods.ts';
import { GOALS } from '../../bench/load/goals.ts';
import { DEFAULT_GRID, isLarge, parseCell, TLS_GRID } from '../../bench/load/grid.ts';
import { parseLoadOptions } from '../../bench/load/options.ts';
import { absence, DEFAULT_PEERS, speaksTls } from '../../bench/load/peers.ts';

test('a cell is connections x payload x messages in flight', () => {
  const cell = { name: '50x16KiBx1', connections: 50, payloadBytes: 16_384, inFlight: 1, tls: 'none' };
  expect(parseCell('50x16KiBx1')).toEqual(cell);
  expect(parseCell('1x1MiBx2').payloadBytes).toBe(1_048_576);
  expect(isLarge(parseCell('1x16KiBx1'))).toBe(true);
  expect(isLarge(parseCell('1x16383Bx1'))).toBe(false);
});

test('where TLS is stands before a cell', () => {
  expect(parseCell('wss:100x64Bx1')).toMatchObject({ name: 'wss:100x64Bx1', connections: 100, tls: 'client' });
  expect(parseCell('wss-both:100x64Bx1').tls).toBe('both');
  expect(['nginx', 'framegate', 'framegate:/x', 'ws-pair'].map(speaksTls)).toEqual([true, true, true, false]);
});

test.each([
  'x',
  '100x64x1',
  '0x64Bx1',
  '100x0Bx1',
  '100x64Bx0',
  '8001x64Bx1',
  '1x17MiBx1',
  '1x64Bx1025',
  '1x64Bx1x1',
  'ws:1x64Bx1',
  'wss:',
])('no cell: "%s"', (name) => {
  expect(() => parseCell(name)).toThrow(name);
});

test('without arguments everything is measured, in five rounds of two seconds, and printed', () => {
  const options = parseLoadOptions([]);
  expect(options).toMatchObject({ rounds: 5, seconds: 2, warmupSeconds: 1, rate: null, markdown: true });
  expect(options.modes).toEqual([
    'grid',
    'handshakes',
    'fairness',
    'tls-handshakes',
    'storm',
    'auth',
    'plain',
    'beside',
  ]);
  expect(options.auth).toEqual([...AUTH_METHODS]);
  expect(options.tls).toEqual({ certificate: 'ecdsa', version: '1.3' });
  expect(options.stormClients).toBe(5_000);
  expect(options.grid.map((cell) => cell.name)).toEqual([...DEFAULT_GRID, ...TLS_GRID]);
  expect(options.peers).toEqual(DEFAULT_PEERS);
});

test('arguments choose what is measured; a file for the result replaces the printing', () => {
  const argv = '--mode grid --grid 1x1Bx1 --peers nginx --rounds 2 --seconds 0.5 --rate 100 --json a.json';
  const options = parseLoadOptions(argv.split(' '));
  expect(options).toMatchObject({ modes: ['grid'], peers: ['nginx'], rounds: 2, seconds: 0.5, rate: 100 });
  expect(options).toMatchObject({ json: 'a.json', markdown: false });
});

test.each([
  ['--rounds', '0'],
  ['--seconds', 'x'],
  ['--rate', '-1'],
  ['--mode', 'all'],
  ['--certificate', 'dsa'],
  ['--tls-version', '1.1'],
  ['--storm', '0'],
  ['--auth', 'kerberos'],
  ['--unknown', '1'],
])('refuses %s %s', (...argv) => {
  expect(() => parseLoadOptions(argv)).toThrow();
});

test('a name that is no peer is told, not skipped', () => {
  expect(() => absence('apache')).toThrow('apache');
  expect(absence('net-pipe')).toBeNull();
  for (const name of ['framegate@0', 'framegate@x', 'framegates']) expect(() => absence(name)).toThrow(name);
  expect(absence('framegate@2:/nowhere')).toContain('/nowhere/dist/cli.js is not there');
});

describe('the goals', () => {
  test.each(GOALS)('$cell / $peer is a cell of the default grid and a default peer', ({ cell, peer }) => {
    expect([...DEFAULT_GRID, ...TLS_GRID]).toContain(cell);
    expect(DEFAULT_PEERS).toContain(peer);
  });
});
