// What a plain request does with targets: a slot while it is open, and what its answer says of them.

import { describe, expect, test } from 'vitest';
import { DialError } from '../../src/net/dial-error.ts';
import type { TargetWatch } from '../../src/upstream/target-watch.ts';
import { NOTHING_HELD, PlainRig, text } from './plain-rig.ts';

const GET = ['GET / HTTP/1.1', 'Host: a', '', ''];
const POST = ['POST / HTTP/1.1', 'Host: a', 'Content-Length: 3', '', 'abc'];
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** What its target was told, in short. */
function watched(rig: PlainRig): string[] {
  const told: string[] = [];
  const note =
    (name: string) =>
    (...args: unknown[]) =>
      told.push([name, ...args].join(' '));
  const names = [
    'dialFailed',
    'answeredBadly',
    'answeredWell',
    'sessionBegan',
    'sessionEnding',
    'sessionEnded',
    'left',
  ];
  const watch = Object.fromEntries(names.map((name) => [name, note(name)]));
  rig.page.watch = { failures: 0, ...watch } as unknown as TargetWatch; // each of its methods is there
  return told;
}

describe('a slot of the target', () => {
  test('is one of a handshake while it is dialed, then of a request, and of no session to be moved', async () => {
    const rig = new PlainRig();
    let fail = (_: DialError): void => {};
    rig.dialer.failures.push(new Promise((resolve) => (fail = resolve)));
    await rig.ask(...GET);
    expect(rig.held).toEqual([1, 1, 1, 0]);
    fail(new DialError('backend_unreachable', 'ECONNREFUSED', ''));
    await rig.turns(4);
    expect(rig.held).toEqual(NOTHING_HELD);
    await rig.ask(...GET);
    expect(rig.held).toEqual([1, 1, 0, 1]);
    expect(rig.page.sessionsOpen).toBe(0);
    await rig.say(rig.backend(), OK);
    expect(rig.held).toEqual(NOTHING_HELD);
  });

  test('is not waited for: 503, also where handshakes would wait', async () => {
    const target = { url: 'http://127.0.0.1:1', max_sessions: 1 };
    const rig = new PlainRig({}, { targets: [target], queue: { size: 5, timeout: '1m' } });
    await rig.ask(...GET);
    const client = await rig.ask(...GET);
    expect(text(client)).toMatch(/^HTTP\/1\.1 503 .*"no_target"/s);
    expect(rig.requests).toMatchObject([{ cause: 'none has room', targets: { full: 1 } }]);
    await rig.say(rig.backend(), OK);
    await rig.ask(...GET);
    expect(rig.held).toEqual([1, 1, 0, 1]);
  });
});

describe('another target', () => {
  const refused = () => Promise.resolve(new DialError('backend_unreachable', 'ECONNREFUSED', ''));

  test.each([
    ['is tried for a request without a body', GET, 200],
    ['is not tried for one with a body', POST, 502],
  ])('%s', async (_, request, status) => {
    const targets = [{ url: 'http://127.0.0.1:1' }, { url: 'http://127.0.0.2:1' }];
    const rig = new PlainRig({}, { targets, retries: 1, retry_budget: 'off' });
    rig.dialer.failures.push(refused());
    const client = await rig.ask(...request);
    for (const backend of rig.backends) await rig.say(backend, OK);
    expect(text(client)).toContain(`HTTP/1.1 ${status} `);
  });

  test('is not tried once a byte was sent', async () => {
    const targets = [{ url: 'http://127.0.0.1:1' }, { url: 'http://127.0.0.2:1' }];
    const rig = new PlainRig({}, { targets, retries: 1, retry_budget: 'off' });
    const client = await rig.ask(...GET);
    rig.backend().rst();
    await rig.settle(rig.backend());
    expect(text(client)).toContain('HTTP/1.1 502 ');
    expect(rig.backends).toHaveLength(1);
  });
});

describe('the target is told', () => {
  const status = (code: number) => `HTTP/1.1 ${code} X\r\nContent-Length: 0\r\n\r\n`;

  test.each([
    ['499: that it works', status(499), ['answeredWell 7', 'left 7']],
    ['500: nothing', status(500), ['left 7']],
    ['501: nothing', status(501), ['left 7']],
    ['502: that it does not', status(502), ['answeredBadly 192.0.2.1 7', 'left 7']],
    ['504: that it does not', status(504), ['answeredBadly 192.0.2.1 7', 'left 7']],
    ['505: nothing', status(505), ['left 7']],
    ['what is no answer: that it does not', 'hello', ['answeredBadly 192.0.2.1 7', 'left 7']],
  ])('of a trial, by %s', async (_, bytes, expected) => {
    const rig = new PlainRig();
    const told = watched(rig);
    rig.page.trials = 6;
    rig.page.offerTrial();
    await rig.ask(...GET);
    await rig.say(rig.backend(), bytes);
    expect(told).toEqual(expected);
  });

  test('that it does not work by an answer that breaks off; it is counted and told as such', async () => {
    const rig = new PlainRig();
    const told = watched(rig);
    await rig.ask(...GET);
    await rig.say(rig.backend(), 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab');
    rig.backend().fin();
    await rig.settle(rig.backend());
    expect(told).toEqual(['answeredWell 0', 'answeredBadly 192.0.2.1 0']);
    expect(rig.requests).toMatchObject([{ level: 'warn', status: 200, error: 'backend_answer', cause: 'not whole' }]);
    const { http } = rig.edge.metrics.route(rig.edge.snapshot.config.routes[0]?.name ?? '');
    expect([...http.requests.entries()]).toEqual([['cut', 1]]);
  });

  test('nothing by a client that leaves', async () => {
    const rig = new PlainRig();
    const told = watched(rig);
    const client = await rig.ask(...GET);
    client.fin();
    await rig.settle(client);
    expect(told).toEqual([]);
    expect([rig.held, rig.backend().destroyed]).toEqual([NOTHING_HELD, true]);
  });

  test.each([
    ['less than half of timeouts.open', 1_600, []],
    ['half of it', 1_500, ['answeredBadly 192.0.2.1 0']],
  ])('when it had %s to itself and was not connected', async (_, firstMs, expected) => {
    const targets = [{ url: 'http://127.0.0.1:1' }, { url: 'http://127.0.0.2:1' }];
    const rig = new PlainRig({ timeouts: { open: '3s' } }, { targets, retries: 1, retry_budget: 'off' });
    const told = watched(rig);
    const other = rig.route().http?.targets[1];
    if (other !== undefined) other.watch = rig.page.watch;
    let fail = (_: DialError): void => {};
    rig.dialer.failures.push(new Promise((resolve) => (fail = resolve)), new Promise(() => {}));
    await rig.ask(...GET);
    await rig.wait(firstMs);
    fail(new DialError('no_local_port', 'EADDRNOTAVAIL', ''));
    await rig.turns(4);
    await rig.wait(3_000 - firstMs);
    expect(rig.requests).toMatchObject([{ error: 'backend_timeout', cause: 'open', tries: 2 }]);
    expect(told).toEqual(expected);
  });
});
