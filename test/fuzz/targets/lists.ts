// Sec-WebSocket-Extensions and Sec-WebSocket-Protocol: the grammar of both, and whether an answer fits an offer.
// Accepted: what a second reader made of regular expressions takes for the same elements.

import assert from 'node:assert/strict';
import { judgeExtensionAnswer, OFFERS_MAX, parseExtensions } from '../../../src/protocol/extensions.ts';
import { lowerElements, strictTokens } from '../../../src/protocol/lists.ts';
import { isLegalOffer, referenceAnswer, referenceExtensions } from '../../reference/extensions.ts';
import type { Random } from '../../support/random.ts';
import { inBoundedTime } from '../cuts.ts';
import { bytesTarget } from '../fuzz-target.ts';
import { mutate } from '../mutate.ts';

/** Lines of the offer, then, behind an empty one, of the answer. */
const BORDER = '\n\n';
const TOKENS_MAX = 32;

export const lists = bytesTarget({ name: 'lists', make, check });

const NAMES = [
  'permessage-deflate',
  'permessage-deflate',
  'Permessage-Deflate',
  'x-webkit-deflate-frame',
  'a',
  '__proto__',
];
const PARAMS = [
  'server_no_context_takeover',
  'client_no_context_takeover',
  'server_max_window_bits',
  'client_max_window_bits',
  'server_max_window_bits=10',
  'server_max_window_bits="12"',
  'client_max_window_bits=15',
  'client_max_window_bits=8',
  'client_max_window_bits=14',
  'server_max_window_bits=11',
  'server_max_window_bits=13',
  'a="b,c"',
  'client_max_window_bits=08',
  'server_max_window_bits=16',
  'server_max_window_bits="1\\0"',
  'unknown=1',
];
const TOKENS = [
  ',',
  ';',
  '=',
  '"',
  '\\',
  '""',
  '\\"',
  ' ',
  '\t',
  ' ; ',
  ', ',
  '\n',
  BORDER,
  '\xe9',
  '\0',
  ...NAMES,
  ...PARAMS,
];

function make(random: Random): Buffer {
  const extension = () => {
    const params = Array.from({ length: random.between(0, 3) }, () => random.pick(PARAMS));
    return [random.pick(NAMES), ...params].join(random.pick([';', '; ', ' ;\t']));
  };
  const list = (most: number) =>
    Array.from({ length: random.between(0, most) }, extension).join(random.pick([',', ', ', '\n']));
  const bytes = Buffer.from(`${list(random.chance(0.03) ? 40 : 4)}${BORDER}${list(2)}`, 'latin1');
  return random.chance(0.6) ? mutate(random, bytes, TOKENS) : bytes;
}

function check(input: Buffer): void {
  const [offer = '', answer = ''] = input.toString('latin1').split(BORDER);
  const [offered, answered] = [valuesOf(offer), valuesOf(answer)];
  const parsed = inBoundedTime(() => parseExtensions(offered));
  const expected = referenceExtensions(offered);
  assert.deepEqual(parsed?.map(({ text }) => text) ?? null, expected);
  assert(parsed === null || parsed.length <= OFFERS_MAX, 'too many offers');
  for (const { text, name, params } of parsed ?? []) {
    assert(text.startsWith(name), name);
    assert.equal(params.length, text.split(';').length - 1, text);
  }
  checkAnswer(answered, parsed?.filter(({ name }) => name === 'permessage-deflate').map(({ text }) => text) ?? []);
  checkTokens(offered);
}

/** As the head parser leaves them: without blanks at both ends. */
function valuesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n').map((line) => line.replace(/^[\t ]+|[\t ]+$/g, ''));
}

function checkAnswer(answered: readonly string[], offers: readonly string[]): void {
  // What a client offers against the rules is relayed as it is; what fits it is not defined.
  inBoundedTime(() => judgeExtensionAnswer(answered, offers));
  const legal = offers.filter(isLegalOffer);
  const verdict = judgeExtensionAnswer(answered, legal);
  assert.equal(verdict.ok, referenceAnswer(answered, legal), verdict.ok ? 'accepted' : verdict.cause);
  if (verdict.ok) assert.equal(verdict.text, referenceExtensions(answered)?.[0] ?? null);
  else assert.match(verdict.cause, /^[\x20-\x7e]+$/);
}

/** The same lines read as subprotocols, and as a list of names such as Connection's. */
function checkTokens(values: readonly string[]): void {
  const parts = values.flatMap((value) => value.split(',').map((word) => word.replace(/^[\t ]+|[\t ]+$/g, '')));
  const words = parts.filter((word) => word !== '');
  const isNothing = words.length === 0 && parts.length > values.length;
  const isList = !isNothing && words.every((word) => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(word));
  const isRight = isList && new Set(words).size === words.length && words.length <= TOKENS_MAX;
  assert.deepEqual(
    inBoundedTime(() => strictTokens(values, TOKENS_MAX)),
    isRight ? words : null,
  );
  assert.deepEqual(
    inBoundedTime(() => lowerElements(values)),
    words.map((word) => word.toLowerCase()),
  );
}
