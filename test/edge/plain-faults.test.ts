// A fault of our own while a plain request is served, in an event of Node too: it ends that request alone, and what it
// held goes back. In a process of its own, for what it mocks.

import { afterEach, describe, expect, test, vi } from 'vitest';
import * as answerHeads from '../../src/edge/http/answer-head.ts';
import { AnswerReader } from '../../src/edge/http/answer-reader.ts';
import * as plainForward from '../../src/edge/http/plain-forward.ts';
import { RequestRecord } from '../../src/edge/http/request-record.ts';
import { Target } from '../../src/upstream/target.ts';
import { NOTHING_HELD, PlainRig, text } from './plain-rig.ts';

vi.mock('../../src/edge/http/answer-head.ts', { spy: true });
vi.mock('../../src/edge/http/plain-forward.ts', { spy: true });

afterEach(() => {
  vi.restoreAllMocks();
});

const GET = ['GET / HTTP/1.1', 'Host: a', '', ''];
const POST = ['POST / HTTP/1.1', 'Host: a', 'Content-Length: 3', '', 'abc'];
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('a fault of ours', () => {
  const boom = (): never => {
    throw new Error('injected');
  };
  type Methods = Record<string, (...args: never[]) => unknown>;
  const methodOf = (owner: { readonly prototype: object }, name: string) => () => {
    vi.spyOn(owner.prototype as Methods, name).mockImplementationOnce(boom);
  };
  const exportOf = (module: object, name: string) => () => {
    vi.mocked((module as Methods)[name] as () => unknown).mockImplementationOnce(boom);
  };

  test.each([
    ['what is asked of a target', exportOf(plainForward, 'reachingFor'), 500],
    ['what it is sent', exportOf(plainForward, 'sentHead'), 500],
    ['the slot of a request', methodOf(Target, 'promote'), 500],
    ['the head of the answer', exportOf(answerHeads, 'answerHead'), 500],
    ['an interim answer', exportOf(answerHeads, 'interimHead'), 500],
    ['the line of the answer', methodOf(RequestRecord, 'answered'), 200],
    ['the end of the connection', methodOf(AnswerReader, 'leave'), 200],
    ['the slot that goes back', methodOf(Target, 'release'), 200],
  ])('in %s ends that request, and what it held goes back', async (_, inject, status) => {
    const rig = new PlainRig();
    inject();
    const client = await rig.ask(...POST);
    for (const backend of rig.backends) await rig.say(backend, `HTTP/1.1 103 X\r\n\r\n${OK}`);
    await rig.settle(client);
    expect(text(client)).toContain(`HTTP/1.1 ${status} `);
    expect(rig.tap.lines.filter(({ event }) => event === 'request.fault')).toHaveLength(1);
    expect(rig.edge.metrics.process.httpRequestsOpen).toBe(0);
    expect(rig.backends.every(({ destroyed }) => destroyed)).toBe(true);
    // The next one finds everything free.
    if (status === 500) expect(rig.held).toEqual(NOTHING_HELD);
    const before = rig.backends.length;
    const next = await rig.ask(...GET);
    await rig.say(rig.backend(before), OK);
    expect(text(next)).toContain('HTTP/1.1 200 OK');
  });
});
