// A small crowd on sockets with a fixed seed, and transcripts that were doctored: for each check, one that it finds.

import { beforeAll, describe, expect, test } from 'vitest';
import type { LogLine } from '../../support/log-tap.ts';
import { Random } from '../../support/random.ts';
import { runCrowd } from '../model/socket-crowd.ts';
import { judgeGauges, judgeTranscript, type Transcript } from '../model/socket-judge.ts';

const SEED = 20_260_103;
const SESSIONS = 40;

let transcripts: readonly Transcript[] = [];

beforeAll(async () => {
  transcripts = await runCrowd(new Random(SEED), SESSIONS);
});

test(`${SESSIONS} sessions of seed ${SEED} on sockets do what the reference says`, () => {
  expect(transcripts).toHaveLength(SESSIONS);
  for (const transcript of transcripts) judgeTranscript(transcript);
});

type Doctored = (transcript: Transcript) => Partial<Transcript>;

/** Other words in the one line of the log. */
const inLog =
  (change: (end: LogLine) => Readonly<Record<string, unknown>>): Doctored =>
  ({ ends: [end] }) =>
    end === undefined ? {} : { ends: [{ ...end, ...change(end) }] };

const atClient =
  (change: (received: Buffer) => Buffer): Doctored =>
  ({ client }) => ({ client: { ...client, received: change(Buffer.from(client.received)) } });

function changed(bytes: Buffer, at: number): Buffer {
  const index = at < 0 ? bytes.length + at : at;
  if (index >= 0 && index < bytes.length) bytes[index] = (bytes[index] ?? 0) ^ 1;
  return bytes;
}

const DOCTORED: readonly (readonly [what: string, doctored: Doctored, found: RegExp])[] = [
  ['a byte arrived as another', atClient((bytes) => changed(bytes, 0)), /neither sent by the other side nor our Close/],
  ['a byte came behind the Close', atClient((bytes) => Buffer.concat([bytes, Buffer.of(0)])), /nor our Close/],
  [
    'a frame of ours is masked',
    atClient((bytes) => Buffer.concat([bytes, Buffer.from('888000000000', 'hex')])),
    /nor our/,
  ],
  ['nothing arrived but our Close', atClient((bytes) => bytes.subarray(-16)), /neither sent by|arrived, not/],
  [
    'our Close said another code',
    atClient((bytes) => {
      const at = bytes.lastIndexOf(Buffer.from('03f3', 'hex'));
      return at < 0 ? bytes : changed(bytes, at + 1);
    }),
    /the client was told 1010 for \w+, not 1011/,
  ],
  [
    'a relayed Close was not the last word',
    ({ backend, client }) => ({ backend: { ...backend, sent: client.received.subarray(0, -4) } }),
    /neither sent by|in order|were counted|was told|clean/,
  ],
  [
    'all but our Close is missing',
    atClient((bytes) => {
      const at = bytes.lastIndexOf(0x88);
      return at + 2 + (bytes[at + 1] ?? 0) === bytes.length ? bytes.subarray(at) : bytes;
    }),
    /\d+ bytes of the backend arrived, not \d+/,
  ],
  ['there is no end in the log', () => ({ ends: [] }), /0 ends in the log/],
  ['there are two ends in the log', ({ ends }) => ({ ends: [...ends, ...ends] }), /2 ends in the log/],
  ['the log names another code', inLog(() => ({ close_code_client: 4321 })), /the log says 4321/],
  [
    'the log names another reason',
    inLog(() => ({ reason: 'client_rate' })),
    /client_rate, though what the client sent/,
  ],
  [
    'the log counts too much',
    inLog(({ from_client: traffic }) => ({ from_client: { ...(traffic as object), bytes: 1e9 } })),
    /1000000000 bytes of the client were counted, it sent/,
  ],
  [
    'the log counts too little',
    inLog(({ from_client: traffic }) => ({ from_client: { ...(traffic as object), bytes: -1 } })),
    /-1 bytes of the client were counted, not/,
  ],
  ['the log calls it clean', inLog(() => ({ clean: true })), /clean, though one side sent no Close/],
];

describe('it is found out that', () => {
  test.each(DOCTORED)('%s', (_, doctored, found) => {
    const said = transcripts.map((transcript) => {
      try {
        judgeTranscript({ ...transcript, ...doctored(transcript) });
        return '';
      } catch (error) {
        return String(error).split('\n')[0] ?? '';
      }
    });
    expect(said.filter((line) => found.test(line))).not.toEqual([]);
  });

  test.each(['sessions_open', 'sessions_paused', 'buffered_bytes', 'connections_open', 'target_sessions'])(
    '%s is not back at zero',
    (name) => {
      const names = [
        'sessions_open',
        'sessions_paused',
        'buffered_bytes',
        'connections_open',
        'handshakes_open',
        'target_sessions',
      ];
      const text = (value: number) =>
        names
          .map((one) => `framegate_${one}`)
          .map((one) => `# HELP ${one} x\n# TYPE ${one} gauge\n${one} ${one.endsWith(name) ? value : 0}\n`)
          .join('');
      expect(() => judgeGauges(text(0))).not.toThrow();
      expect(() => judgeGauges(text(1))).toThrow(`${name} is 1 when all is over`);
    },
  );
});
