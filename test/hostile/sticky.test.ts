// Cookies by which a client would choose its target, and what its backend gets of them.

import { createHmac, hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Forwarded, requestOf, sharedGate } from './harness.ts';

const SECRET = 'only-framegates-know';

describe('a sticky upstream of two targets, which take turns where no cookie names one', () => {
  const gate = sharedGate((url) => ({
    upstreams: {
      chat: {
        targets: ['a', 'b'].map((name) => ({ name, url: `${url}/${name}` })),
        balance: { sticky: { secret: SECRET } },
        fallback: 'round_robin',
      },
    },
    routes: [{ name: 'chat', upstream: 'chat' }],
  }));
  let turns = 0;
  const inTurn = (): string => 'ab'.charAt(turns++ % 2);

  const idOf = (target: string, upstream = 'chat') =>
    hash('sha256', `${upstream}\n${target}`, 'base64url').slice(0, 16);
  const signed = (id: string, secret = SECRET) =>
    `${id}.${createHmac('sha256', secret).update(id).digest('base64url').slice(0, 22)}`;

  /** The Set-Cookie of the answer, or none. */
  async function visit(
    target: string,
    fields: readonly string[],
    forwarded: Forwarded = {},
  ): Promise<string | undefined> {
    const { answer } = await gate.accepts(requestOf({ fields }), { target: `/${target}/`, ...forwarded });
    return answer.field('set-cookie');
  }

  async function expectReplaced(field: string, forwarded: Forwarded = {}): Promise<void> {
    // Twice: it does not lead to one of the two each time.
    for (let i = 0; i < 2; i += 1) {
      const target = inTurn();
      const expected = `fg-chat=${signed(idOf(target))}; Path=/; HttpOnly; SameSite=Lax`;
      expect(await visit(target, [field], forwarded), field).toBe(expected);
    }
  }

  test('X70: the right cookie leads to its target, and is not set again', async () => {
    for (const target of ['b', 'a', 'b', 'b']) {
      expect(await visit(target, [`Cookie: fg-chat=${signed(idOf(target))}`])).toBeUndefined();
    }
  });

  test('X70: one that is forged, or was made for something else, counts as absent', async () => {
    const good = signed(idOf('b'));
    const forged = [
      '',
      'b',
      idOf('b'),
      `${idOf('b')}.`,
      signed(idOf('b'), 'another'),
      signed(idOf('b'), ''),
      signed(idOf('b', 'feed')),
      `${idOf('b')}.${signed(idOf('a')).slice(17)}`,
      good.slice(0, -1),
      `${good}A`,
      `"${good}"`,
      good.replace('.', ''),
      good.toUpperCase(),
      `${good.slice(0, -1)}\xe9`,
      `${'A'.repeat(8_000)}.${'A'.repeat(22)}`,
    ];
    for (const value of forged) await expectReplaced(`Cookie: fg-chat=${value}`);
  });

  test('X71: the backend sees none of ours, whatever they look like, and all others byte for byte', async () => {
    const good = `fg-chat=${signed(idOf('b'))}`;
    const cases: readonly (readonly [string, string | null])[] = [
      [`${good}`, null],
      [`fg-chat =x;\tfg-chat\t=y; ${good}`, null],
      [`a="x; fg-chat=y; z";${good}`, 'a="x; z"'],
      [`fg-chat; fg-chat-=1;FG-CHAT=2;  b\xe9=; ;${good};c`, 'fg-chat; fg-chat-=1;FG-CHAT=2;  b\xe9=; ;c'],
      [`a=fg-chat=b; ${good}`, 'a=fg-chat=b'],
    ];
    for (const [value, rest] of cases) {
      const passed = rest === null ? [] : [`Cookie: ${rest}`];
      const { answer } = await gate.accepts(
        requestOf({ fields: [`Cookie: ${value}`] }),
        { target: '/b/', passed },
        'bytewise',
      );
      expect(answer.status).toBe(101);
    }
  });

  test('X72: of a head full of them four are looked at', async () => {
    const good = `fg-chat=${signed(idOf('b'))}`;
    expect(await visit('b', [`Cookie: ${'fg-chat=x; '.repeat(3)}${good}`])).toBeUndefined();
    await expectReplaced(`Cookie: ${'fg-chat=x; '.repeat(4)}${good}`);
    await expectReplaced(`Cookie: ${`fg-chat=${signed(idOf('c'))}; `.repeat(280)}${good}`);
  });
});
