import { describe, expect, test } from 'vitest';
import { renderWhy } from '../../src/cli/why.ts';
import { askAdmin, askAdminAt } from '../e2e/operating.ts';
import { POLICY, Rig } from '../session/rig.ts';
import { closeFrame, ping, text } from '../support/wire.ts';
import { openPair } from './pair.ts';
import { expectOneScreen, FACTS, leave, watched } from './why-rig.ts';

const MASKED = { mask: true } as const;
const MINUTE = 60_000;
const ADMIN = { address: '127.0.0.1:0' };

test('G3: where record is off nothing is kept, shown or logged of frames', async () => {
  const { client, server, running } = await openPair({ config: { admin: ADMIN } });
  client.send(text('no mask'));
  await server.nextClose();
  client.end();
  server.end();
  const line = await running.waitForLog('session.end');
  expect(line.clean).toBe(false);
  expect(line).not.toHaveProperty('record');
  expect((await askAdmin(running, `GET /api/v1/sessions/${String(line.session)}/why`)).json).toMatchObject({
    cause: 'client_protocol_error',
    record: null,
  });
});

test('G4: nothing of what is in frames, queries and fields is in the record, the log or why', async () => {
  const secret = 'canary-4711';
  const { client, server, running } = await openPair({
    config: { admin: ADMIN, record: { frames: 8 }, log: { level: 'trace' } },
    request: { Cookie: `sid=${secret}`, Authorization: `Bearer ${secret}` },
  });
  client.send(Buffer.concat([text(secret, MASKED), ping(secret, MASKED)]));
  server.send(Buffer.concat([text(secret), closeFrame(4000, secret)]));
  await client.nextClose();
  client.end();
  server.end();
  const line = await running.waitForLog('session.end');
  const asked = await askAdmin(running, `GET /api/v1/sessions/${String(line.session)}/why`);
  expect(asked.json).toMatchObject({ cause: 'backend_close', code: 4000, reason: null });
  expect(line.record).toHaveLength(4);
  expect(JSON.stringify([line, asked.body, running.logs])).not.toContain(secret);
});

describe('G5: ends are kept', () => {
  const ids = (count: number) => Array.from({ length: count }, (_, i) => `cafe-${i.toString(36)}`);

  test('G5: the last 10 000 of them', () => {
    const { rig, ends, record } = watched((options) => new Rig(options));
    const all = ids(10_001);
    for (const session of all) {
      const one = { ...record, facts: { ...FACTS, session } };
      ends.onEnding(one);
      ends.onEnded(one);
    }
    expect([all[0], all[1], all.at(-1)].map((id) => ends.find(id ?? '')?.view.id)).toEqual([
      undefined,
      all[1],
      all.at(-1),
    ]);
    expect([Reflect.get(ends, 'kept').size, Reflect.get(ends, 'begun').size]).toEqual([10_000, 0]);
    rig.advance(10 * MINUTE);
    expect(Reflect.get(ends, 'kept').size).toBe(0);
  });

  test('G5: for ten minutes each, and nothing wakes up for none', () => {
    const { rig, ends, record } = watched((options) => new Rig(options));
    const [first = '', second = ''] = ids(2);
    const end = (session: string) => ends.onEnded({ ...record, facts: { ...FACTS, session } });
    const found = () => [first, second].map((id) => ends.find(id) !== null);
    const armed = rig.wheel.size;
    end(first);
    rig.advance(MINUTE);
    end(second);
    rig.advance(9 * MINUTE - 1);
    expect(found()).toEqual([true, true]);
    rig.advance(1);
    expect([found(), rig.wheel.size]).toEqual([[false, true], armed + 1]);
    rig.advance(MINUTE);
    expect([found(), rig.wheel.size]).toEqual([[false, false], armed]);
    end(first);
    expect([found(), rig.wheel.size]).toEqual([[true, false], armed + 1]);
  });

  test('G5: with a ring no larger than what was recorded', () => {
    const { rig, ends, record } = watched((options) => new Rig({ ...options, policy: { recordedFrames: 256 } }));
    rig.fromClient(text('a', MASKED));
    leave(rig);
    const kept = ends.find(record.facts.session);
    expect([kept?.recorder?.frames, rig.session.recorder?.frames]).toEqual([1, 256]);
  });
});

test('G7: names that a terminal would obey, or that are longer than it, leave one screen that says why', () => {
  const odd = (length: number) => `\x1b[2J\x9b\u202e${'x'.repeat(length)}`;
  const facts = {
    ...FACTS,
    route: odd(300),
    upstream: odd(300),
    target: odd(300),
    path: `/${odd(250)}`,
    request_id: 'r'.repeat(128),
    auth: odd(64),
    identity: odd(250),
    subprotocol: odd(100),
  };
  const { rig, why } = watched((options) => new Rig({ ...options, policy: { recordedFrames: 256 } }), facts);
  for (let i = 0; i < 300; i++) rig.fromBackend(ping('p'));
  rig.session.end('credential_expired', { notice: { code: 4000, text: odd(100) } });
  leave(rig);
  const picture = renderWhy(why(), 80, 24);
  expect(picture).not.toMatch(/[^\x20-\x7e\n]/);
  expectOneScreen(picture);
  expect(picture).toContain('has come to its end.');
  expect(picture).toMatch(/^change {3}auth\./m);
  // However low or narrow: what fits of it.
  const narrow = renderWhy(why(), 40, 10).trimEnd().split('\n');
  expect(Math.max(...narrow.map((line) => line.length))).toBeLessThanOrEqual(40);
});

test('G8: what was near is told by the limits of that time, whatever a reload has said since', () => {
  const { rig, why } = watched((options) => new Rig(options));
  rig.advance(POLICY.idleMs);
  rig.session.retune({ ...POLICY, idleMs: 7 * POLICY.idleMs });
  expect(why()).toMatchObject({ state: 'closing', near: [{ key: 'timeouts.idle', limit: POLICY.idleMs, share: 1 }] });
  leave(rig);
  expect(why()).toMatchObject({ state: 'ended', near: [{ key: 'timeouts.idle', limit: POLICY.idleMs, share: 1 }] });
});

test('G9: open, ending, ended and unknown sessions, asked by whoever may', async () => {
  const admin = { ...ADMIN, token: 'secret-secret-secret' };
  const { client, server, running } = await openPair({ config: { admin }, route: { timeouts: { close: '60s' } } });
  const port = (running.proxy.adminAddress() as { readonly port: number }).port; // it is no unix socket
  const ask = (path: string, ...fields: string[]) => askAdminAt(port, `GET /api/v1/sessions${path}`, ...fields);
  const token = `Authorization: Bearer ${admin.token}`;
  const { sessions } = (await ask('', token)).json as { readonly sessions: readonly { readonly id: string }[] };
  const path = `/${sessions[0]?.id}/why`;
  expect((await ask(path)).status).toBe(401);
  expect((await ask(path, token, 'Sec-Fetch-Site: cross-site')).status).toBe(403);
  expect((await ask('/cafe-1/why', token)).json).toMatchObject({ error: 'unknown_session' });
  expect((await ask(path, token)).json).toMatchObject({ state: 'open', cause: null });
  client.send(closeFrame(1000, '', MASKED));
  expect(await server.nextClose()).toEqual({ code: 1000, reason: '' });
  expect((await ask(path, token)).json).toMatchObject({ state: 'closing', cause: 'client_close', clean: false });
  server.send(closeFrame(1000));
  server.end();
  await client.nextClose();
  client.end();
  const line = await running.waitForLog('session.end');
  const ended = { state: 'ended', cause: 'client_close', clean: true };
  expect((await ask(path, token)).json).toMatchObject(ended);
  expect((await ask(`/${String(line.request_id)}/why`, token)).json).toMatchObject(ended);
});
