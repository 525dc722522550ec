// The suite's own tests: that its peers are what they claim to be, and that its checks can fail.

import { describe, expect, test } from 'vitest';
import { Utf8Stream } from '../reference/utf8-stream.ts';
import { CASES, GROUPS, groupOf } from './cases.ts';
import { problemOf } from './check.ts';
import type { ConformanceCase } from './conformance-case.ts';
import { normalClose, ok } from './conformance-case.ts';
import { type PeerKind, runEchoClient, startEchoServer } from './echo-peers.ts';
import { fuzzServer, startFuzzingServer } from './fuzz.ts';
import { type Behaviour, type CloseBehaviour, judge, type Outcome, type Verdict } from './verdict.ts';

const one: ConformanceCase = {
  id: '0.1',
  title: 'made up',
  play: () => {},
  expect: [ok('text "a"'), { verdict: 'NON-STRICT', events: [] }],
  close: normalClose,
};

const fine: Outcome = {
  role: 'client',
  events: ['text "a"'],
  illegal: null,
  unimplemented: false,
  peerClosedFirst: false,
  fuzzerClosed: true,
  peerClose: { code: 1000, reason: '' },
  droppedBy: 'peer',
  reset: false,
};

function verdict(behaviour: Behaviour, close: CloseBehaviour, reason = ''): Verdict {
  return { behaviour, close, reason, story: '' };
}

function problem(before: Verdict, after: Verdict, rule?: Parameters<typeof problemOf>[2]): string | null {
  return problemOf(one, { alone: new Map([['0.1', before]]), through: new Map([['0.1', after]]), faults: [] }, rule);
}

describe('the conformance suite', () => {
  test('has every case once, and each in a group', () => {
    expect(new Set(CASES.map(({ id }) => id)).size).toBe(CASES.length);
    expect([...new Set(CASES.map(({ id }) => groupOf(id)))]).toEqual(
      expect.arrayContaining(Object.keys(GROUPS).filter((group) => group !== '')),
    );
  });

  test('judges behaviour by the events, and by what the peer may not do', () => {
    expect(judge(one, fine)).toMatchObject({ behaviour: 'OK', close: 'OK' });
    expect(judge(one, { ...fine, events: [] }).behaviour).toBe('NON-STRICT');
    expect(judge(one, { ...fine, events: ['text "b"'] }).behaviour).toBe('FAILED');
    expect(judge(one, { ...fine, illegal: 'masked' }).behaviour).toBe('FAILED');
    expect(judge({ ...one, informational: true }, { ...fine, events: ['x'] }).behaviour).toBe('INFORMATIONAL');
    expect(judge(one, { ...fine, unimplemented: true }).behaviour).toBe('UNIMPLEMENTED');
  });

  test('7.1: judges the end by who closed, how, with which code, and who dropped TCP', () => {
    const closeOf = (change: Partial<Outcome>) => judge(one, { ...fine, ...change }).close;
    expect(closeOf({ peerClose: { code: 1001, reason: '' } })).toBe('WRONG CODE');
    expect(closeOf({ droppedBy: 'fuzzer' })).toBe('WRONG END');
    expect(closeOf({ role: 'server', droppedBy: 'peer' })).toBe('WRONG END');
    expect(closeOf({ role: 'server', droppedBy: 'fuzzer' })).toBe('OK');
    expect(closeOf({ peerClose: null })).toBe('UNCLEAN');
    expect(closeOf({ reset: true })).toBe('UNCLEAN');
    expect(closeOf({ peerClosedFirst: true })).toBe('FAILED');
    const failing: ConformanceCase = { ...one, close: { by: 'peer', codes: [1002] } };
    const codeOf = (change: Partial<Outcome>) => judge(failing, { ...fine, peerClosedFirst: true, ...change }).close;
    expect(codeOf({ peerClose: { code: 1002, reason: '' } })).toBe('OK');
    expect(codeOf({ peerClose: { code: 1007, reason: '' } })).toBe('WRONG CODE');
    expect(codeOf({ peerClose: null, droppedBy: 'fuzzer' })).toBe('FAILED');
    expect(codeOf({ peerClose: null, droppedBy: 'peer' })).toBe('UNCLEAN');
  });

  test('a worse verdict, an unlisted better one and an idle line of the list are problems', () => {
    const good = verdict('OK', 'OK');
    const rsv = verdict('OK', 'OK', 'reserved bit set');
    expect(problem(good, good)).toBeNull();
    expect(problem(good, verdict('NON-STRICT', 'OK'))).toMatch(/worse/);
    expect(problem(verdict('FAILED', 'OK'), verdict('OK', 'WRONG CODE'))).toMatch(/worse/);
    expect(problem(verdict('FAILED', 'FAILED'), good)).toMatch(/no rule is listed/);
    expect(problem(good, good, 'rsv')).toMatch(/rsv makes no difference/);
    expect(problem(good, good, 'server_closes_first')).toBeNull();
    expect(problem(verdict('FAILED', 'FAILED'), rsv, 'rsv')).toBeNull();
    expect(problem(verdict('FAILED', 'FAILED'), rsv, 'opcode')).toMatch(/not by opcode/);
  });

  test('8.1: the fail-fast peers fail in the middle of a frame, which strict and lenient ones do not', async () => {
    const cases = CASES.filter(({ id }) => id.startsWith('6.4.'));
    const expected = { strict: 'NON-STRICT', lenient: 'FAILED', 'fail-fast': 'OK' } as const;
    const kinds = ['strict', 'lenient', 'fail-fast'] as const;
    const play = async (kind: PeerKind) => {
      const server = await startEchoServer(kind);
      const fuzzing = await startFuzzingServer();
      const verdicts = await Promise.all([
        fuzzServer(server.url, cases),
        fuzzing.play(cases, (path) => runEchoClient(kind, `${fuzzing.url}${path}`)),
      ]);
      await Promise.all([server.close(), fuzzing.close()]);
      return verdicts.map((one) => [...one.values()].map(({ behaviour }) => behaviour));
    };
    const played = await Promise.all(kinds.map(play));
    expect(played).toEqual(kinds.map((kind) => [cases.map(() => expected[kind]), cases.map(() => expected[kind])]));
  });

  test('RFC 3629 4: the fail-fast check knows the edges of each length', () => {
    const text = (hex: string) => Buffer.concat([Buffer.from([0x81, hex.length / 2]), Buffer.from(hex, 'hex')]);
    for (const good of ['7f', 'c280', 'dfbf', 'e0a080', 'ed9fbf', 'ee8080', 'f0908080', 'f48fbfbf']) {
      expect(new Utf8Stream().push(text(good)), good).toBe(true);
    }
    for (const bad of ['80', 'c1bf', 'df', 'e09fbf', 'eda080', 'f08fbfbf', 'f4908080', 'f5808080', 'ff']) {
      expect(new Utf8Stream().push(text(bad)), bad).toBe(false);
    }
  });
});
