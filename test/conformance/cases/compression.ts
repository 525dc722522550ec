// Groups 12 and 13: permessage-deflate (RFC 7692), by content and size, and by the parameters agreed on.

import { Opcode } from '../../support/wire.ts';
import { binaryEvent, type ConformanceCase, normalClose, ok, textEvent } from '../conformance-case.ts';

const PATIENCE_MS = 15_000;
const SIZES = [16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072];
const COUNT = 8;
const CONTENTS = ['json', 'text', 'noise'] as const;
type Content = (typeof CONTENTS)[number];

interface Parameters {
  readonly offer: string;
  readonly answer: string;
}

/** In the order of 13.1 to 13.7: context takeover and window, offered by a client and chosen by a server. */
const PARAMETERS: readonly Parameters[] = [
  { offer: '', answer: '' },
  { offer: '; server_no_context_takeover; client_no_context_takeover', answer: '; server_no_context_takeover' },
  { offer: '; server_max_window_bits=9; client_max_window_bits', answer: '; server_max_window_bits=9' },
  { offer: '; server_max_window_bits=15; client_max_window_bits=15', answer: '; server_max_window_bits=15' },
  {
    offer: '; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9',
    answer: '; client_no_context_takeover; server_no_context_takeover; client_max_window_bits=9',
  },
  {
    offer: '; client_no_context_takeover; server_max_window_bits=15',
    answer: '; client_no_context_takeover; client_max_window_bits=15',
  },
  {
    offer:
      '; server_no_context_takeover; server_max_window_bits=9, permessage-deflate; server_max_window_bits=15, ' +
      'permessage-deflate',
    answer: '; server_no_context_takeover; server_max_window_bits=9; client_no_context_takeover',
  },
];

export const compressionCases: readonly ConformanceCase[] = [
  ...CONTENTS.flatMap((content, group) =>
    SIZES.map((size, at) => deflateCase(`12.${group + 1}.${at + 1}`, content, size, { offer: '', answer: '' })),
  ),
  ...PARAMETERS.flatMap((parameters, group) =>
    [16, 1024, 32_768, 131_072].map((size, at) =>
      deflateCase(`13.${group + 1}.${at + 1}`, CONTENTS[at % 3] ?? 'json', size, parameters),
    ),
  ),
];

function deflateCase(id: string, content: Content, size: number, parameters: Parameters): ConformanceCase {
  const opcode = content === 'noise' ? Opcode.Binary : Opcode.Text;
  const payloads = Array.from({ length: COUNT }, (_, at) => payloadOf(content, size, at));
  const event = opcode === Opcode.Text ? textEvent : binaryEvent;
  return {
    id,
    title: `${COUNT} compressed messages of ${size} bytes (${content})${parameters.offer}`,
    play: (peer) => {
      for (const payload of payloads) peer.sendMessage(opcode, payload);
    },
    expect: [ok(...payloads.map(event))],
    close: normalClose,
    killMs: PATIENCE_MS,
    deflate: parameters,
  };
}

function payloadOf(content: Content, size: number, at: number): Buffer {
  if (content === 'text') return Buffer.alloc(size, `message ${at}: the quick brown fox jumps over the lazy dog; `);
  if (content === 'json') return Buffer.alloc(size, JSON.stringify({ id: at, user: 'somebody', tags: ['a', 'b', at] }));
  // Hardly compressible, and the same in every run: a linear congruential generator.
  const noise = Buffer.alloc(size);
  let state = at + 1;
  for (let i = 0; i < size; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    noise[i] = state >> 16;
  }
  return noise;
}
