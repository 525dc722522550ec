import { describe, expect, test } from 'vitest';
import { isCloseCodeConfigurable, isCloseCodeOnWire } from '../../src/protocol/close-codes.ts';
import { END_CAUSES, type EndCause, type EndCauseRow, MAPPABLE_CAUSES } from '../../src/protocol/end-causes.ts';

const rows: [string, EndCauseRow][] = Object.entries<EndCauseRow>(END_CAUSES);

describe('why a session can end', () => {
  test('the causes, who is to blame, and what each side is told by default', () => {
    const table = rows.map(([name, { by, client, backend }]) =>
      [name, by ?? 'proxy', client?.code ?? '-', backend?.code ?? '-'].join(' '),
    );
    // A relayed Close is the peer's own; these two rows hold what is said when it is not answered.
    expect(table.filter((line) => !/^(client|backend)_close/.test(line)).sort()).toEqual(
      [
        'client_protocol_error client 1002 1001',
        'backend_protocol_error backend 1011 1002',
        'client_message_too_big client 1009 1001',
        'backend_message_too_big backend 1011 1009',
        'client_too_many_fragments client 1008 1001',
        'backend_too_many_fragments backend 1011 1008',
        'client_invalid_utf8 client 1007 1001',
        'backend_invalid_utf8 backend 1011 1007',
        'client_message_stall client 1008 1001',
        'backend_message_stall backend 1011 1008',
        'client_lost client - 1001',
        'backend_lost backend 1012 -',
        'client_stalled client - 1001',
        'backend_stalled backend 1012 -',
        'client_rate client 1008 1001',
        'backend_rate backend 1011 1008',
        'client_slow client 1013 1001',
        'backend_slow backend 1012 1001',
        'client_pong_timeout client - 1001',
        'backend_pong_timeout backend 1012 -',
        'overload proxy 1013 1001',
        'idle proxy 1001 1001',
        'drain proxy 1012 1001',
        'lifetime proxy 1012 1001',
        'route_removed proxy 1012 1001',
        'target_removed proxy 1012 1001',
        'target_drain proxy 1012 1001',
        'rebalance proxy 1012 1001',
        'credential_expired proxy 3000 1001',
        'credential_revoked proxy 3003 1001',
        'admin proxy 1008 1001',
        'internal_error proxy 1011 1011',
        'forced proxy - -',
      ].sort(),
    );
  });

  test('the reason texts that clients act on', () => {
    const rows: readonly EndCauseRow[] = [
      END_CAUSES.drain,
      END_CAUSES.idle,
      END_CAUSES.lifetime,
      END_CAUSES.backend_lost,
      END_CAUSES.client_slow,
      END_CAUSES.overload,
    ];
    expect(rows.map(({ client }) => client?.text)).toEqual([
      'server restart',
      'idle timeout',
      'session lifetime',
      'backend lost',
      'slow_reader',
      'max_buffered_total',
    ]);
  });

  test.each(rows)('%s: codes that may be sent, reasons that fit', (_, { client, backend }) => {
    for (const notice of [client, backend]) {
      if (notice === null) continue;
      expect(isCloseCodeOnWire(notice.code)).toBe(true);
      expect(Buffer.byteLength(notice.text)).toBeLessThanOrEqual(123);
    }
  });

  test('a backend is never blamed for what it did not do', () => {
    for (const [name, { by, backend }] of rows) {
      if (by !== 'backend' && name !== 'internal_error' && backend !== null) expect(backend.code).toBe(1001);
    }
  });

  test('close_codes: what is relayed or ends in destroyed has no code to choose', () => {
    const relayed: EndCause[] = ['client_close', 'backend_close'];
    const cutOff: EndCause[] = ['client_lost', 'client_stalled', 'client_pong_timeout', 'forced'];
    const fixed = [...relayed, ...cutOff];
    const all = Object.keys(END_CAUSES) as EndCause[];
    expect([...MAPPABLE_CAUSES].sort()).toEqual(all.filter((cause) => !fixed.includes(cause)).sort());
    expect(isCloseCodeConfigurable(END_CAUSES.backend_lost.client.code)).toBe(true);
  });
});
