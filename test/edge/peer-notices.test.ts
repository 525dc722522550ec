import { describe, expect, test } from 'vitest';
import { PeerNotices } from '../../src/edge/peer-notices.ts';
import { Log } from '../../src/observe/log.ts';
import type { HeadField } from '../../src/protocol/http-head.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LogTap } from '../support/log-tap.ts';

class Bench {
  readonly clock = new FakeClock();
  readonly tap = new LogTap();
  private readonly notices: PeerNotices;

  constructor() {
    this.notices = new PeerNotices(
      new Log({ level: 'info', format: 'json', clock: this.clock, destination: this.tap }),
    );
  }

  unclear(peer: string, now: number): Record<string, unknown>[] {
    const before = this.tap.lines.length;
    const noticed = { fields: [], listener: 'in', peer, peerTrusted: true, requestId: 'id', source: 'x-mine' };
    this.notices.noteUnclear(noticed, 'absent', now);
    return this.tap.lines.slice(before);
  }

  /** The lines that a request with these fields makes. */
  lines(peer: string, names: readonly string[], peerTrusted = false): Record<string, unknown>[] {
    const before = this.tap.lines.length;
    const fields: HeadField[] = names.map((name) => ({ name, lower: name.toLowerCase(), value: 'v' }));
    // The log holds back what comes more than a hundred times a second.
    this.clock.advance(1_000);
    this.notices.note({ fields, listener: 'in', peer, peerTrusted, requestId: 'id', source: 'x-mine' });
    return this.tap.lines.slice(before).map(({ time, ...line }) => line);
  }
}

describe('what of a request stays here', () => {
  test('a field whose name is unsafe is told once of each peer, trusted or not', () => {
    const bench = new Bench();
    expect(bench.lines('192.0.2.1', ['Cookie', 'X_User', 'X.Id', 'x_user'])).toEqual([
      {
        level: 'info',
        event: 'peer.fields_dropped',
        listener: 'in',
        peer: '192.0.2.1',
        fields: ['X_User', 'X.Id'],
        request_id: 'id',
      },
    ]);
    expect(bench.lines('192.0.2.1', ['X_Other'])).toEqual([]);
    expect(bench.lines('192.0.2.2', ['X_Other'], true)).toHaveLength(1);
  });

  test('claims of a peer that is not trusted are told once of each', () => {
    const bench = new Bench();
    expect(bench.lines('192.0.2.1', ['X-Forwarded-For', 'Accept', 'X-Real-IP', 'X-Request-ID'])).toEqual([
      expect.objectContaining({
        event: 'peer.claims_replaced',
        fields: ['X-Forwarded-For', 'X-Real-IP', 'X-Request-ID'],
      }),
    ]);
    expect(bench.lines('192.0.2.1', ['Forwarded'])).toEqual([]);
    expect(bench.lines('192.0.2.2', ['X-Forwarded-Proto', 'Forwarded'], true)).toEqual([]);
    expect(bench.lines('192.0.2.2', ['Origin', 'Authorization', 'Cookie', 'Via'])).toEqual([]);
  });

  test('the field that is to name the client is a claim, too', () => {
    expect(new Bench().lines('192.0.2.1', ['X-Mine', 'X-Other'])).toMatchObject([{ fields: ['X-Mine'] }]);
    expect(new Bench().lines('192.0.2.1', ['X-Mine'], true)).toEqual([]);
  });

  test('a proxy that does not name its client is told of once a minute, of all together', () => {
    const bench = new Bench();
    expect(bench.unclear('192.0.2.1', 0)).toMatchObject([
      { level: 'warn', event: 'client.unclear', peer: '192.0.2.1', field: 'x-mine', cause: 'absent' },
    ]);
    expect(bench.unclear('192.0.2.2', 59_999)).toEqual([]);
    expect(bench.unclear('192.0.2.2', 60_000)).toHaveLength(1);
  });

  test('many and long names are cut', () => {
    const names = Array.from({ length: 20 }, (_, i) => `X_${i}_${'y'.repeat(200)}`);
    const [line] = new Bench().lines('192.0.2.1', names);
    expect(line).toMatchObject({ more: 12 });
    expect(line?.fields).toEqual(names.slice(0, 8).map((name) => name.slice(0, 64)));
  });

  test('of more than 1024 peers the one told longest ago is forgotten', () => {
    const bench = new Bench();
    for (let i = 0; i < 1024; i += 1) expect(bench.lines(`peer ${i}`, ['a_b'])).toHaveLength(1);
    expect(bench.lines('peer 0', ['a_b'])).toEqual([]);
    expect(bench.lines('peer 1024', ['a_b'])).toHaveLength(1);
    expect(bench.lines('peer 1', ['a_b'])).toEqual([]);
    expect(bench.lines('peer 0', ['a_b'])).toHaveLength(1);
  });
});
