import { describe, expect, test } from 'vitest';
import { type Answer, jsonAnswerSteps } from '../../src/admin/answer.ts';
import { SharedAnswers } from '../../src/admin/shared-answers.ts';
import { Slices } from '../../src/limits/slices.ts';

function* broken(): Generator<void, Answer> {
  yield;
  throw new Error('broken');
}

/** Views that are begun and ended by hand. */
function rig() {
  const turns: (() => void)[] = [];
  const shared = new SharedAnswers(new Slices({ now: () => 0, nextTurn: (run) => turns.push(run) }));
  const begun: string[] = [];
  const ask = (kind: string, question = kind): Promise<Answer> =>
    shared.ask(kind, question, async () => {
      begun.push(question);
      return question === 'broken' ? broken() : jsonAnswerSteps(question);
    });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const turn = async () => {
    await settle();
    for (const run of turns.splice(0)) run();
    await settle();
  };
  return { ask, begun, turn, settle };
}

describe('answers that are shared', () => {
  test('whoever asks while one waits shares it; one that has begun is for nobody else', async () => {
    const { ask, begun, turn, settle } = rig();
    const first = ask('a');
    await settle();
    const later = [ask('a'), ask('a'), ask('a')];
    expect(begun).toEqual(['a']);
    await turn();
    await turn();
    const shared = await Promise.all(later);
    expect(begun).toEqual(['a', 'a']);
    expect(new Set(shared).size).toBe(1);
    expect(shared[0]).not.toBe(await first);
  });

  test('one of a kind at a time, also for different questions; kinds do not wait for each other', async () => {
    const { ask, begun, turn, settle } = rig();
    const all = [ask('a', 'a?1'), ask('a', 'a?2'), ask('b')];
    await settle();
    expect(begun).toEqual(['a?1', 'b']);
    await turn();
    expect(begun).toEqual(['a?1', 'b', 'a?2']);
    await turn();
    expect((await Promise.all(all)).map(({ chunks }) => chunks.join(''))).toEqual(['"a?1"\n', '"a?2"\n', '"b"\n']);
  });

  test('one that fails is told to those who asked for it, and the next is made', async () => {
    const { ask, turn } = rig();
    const broken = ask('a', 'broken');
    const next = ask('a');
    void broken.catch(() => {});
    await turn();
    await turn();
    await expect(broken).rejects.toThrow('broken');
    expect((await next).status).toBe(200);
  });
});
