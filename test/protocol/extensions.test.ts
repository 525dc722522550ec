import { describe, expect, test } from 'vitest';
import { judgeExtensionAnswer, parseExtensions } from '../../src/protocol/extensions.ts';
import { accepted, outcome, requestText } from './heads.ts';

describe('offers (RFC 6455 9.1)', () => {
  const offered = (...values: string[]) =>
    accepted(requestText({ fields: values.map((value) => `Sec-WebSocket-Extensions: ${value}`) })).deflateOffers;

  test('U15: permessage-deflate offers are kept verbatim and in order, others are left out', () => {
    expect(offered('permessage-deflate; client_max_window_bits')).toEqual([
      'permessage-deflate; client_max_window_bits',
    ]);
    const first = 'permessage-deflate;server_max_window_bits=10 ;\tclient_max_window_bits';
    expect(offered(`x-webkit-deflate-frame , ${first}, foo; a=b`, 'permessage-deflate')).toEqual([
      first,
      'permessage-deflate',
    ]);
    expect(offered('Permessage-Deflate, permessage-deflate2, bbf-usp-protocol')).toEqual([]);
  });

  test('U15: quoted values are read, and kept quoted', () => {
    const offer = 'permessage-deflate; server_max_window_bits="1\\0"; x="a"';
    expect(offered(offer)).toEqual([offer]);
    expect(parseExtensions([offer])?.[0]?.params).toEqual([
      { name: 'server_max_window_bits', value: '10' },
      { name: 'x', value: 'a' },
    ]);
    expect(parseExtensions(['a; b="c", d'])?.map((extension) => extension.text)).toEqual(['a; b="c"', 'd']);
  });

  test('U15: null elements are ignored, in any number; an empty line offers nothing', () => {
    for (const value of ['permessage-deflate,', ',permessage-deflate', ' , ,permessage-deflate\t,, ']) {
      expect(offered(value)).toEqual(['permessage-deflate']);
    }
    expect(offered('permessage-deflate; a,,permessage-deflate; b ,')).toEqual([
      'permessage-deflate; a',
      'permessage-deflate; b',
    ]);
    expect(offered('')).toEqual([]);
    expect(offered('', 'permessage-deflate', '')).toEqual(['permessage-deflate']);
    expect(offered(',', 'permessage-deflate')).toEqual(['permessage-deflate']);
    expect(offered(`permessage-deflate${','.repeat(8000)}`)).toEqual(['permessage-deflate']);
  });

  test.each([',', ',,', ' , \t,', ','.repeat(8000)])('U15: commas alone are no list', (value) => {
    expect(outcome(requestText({ fields: [`Sec-WebSocket-Extensions: ${value}`] }))).toBe('extensions');
    const lines = ['Sec-WebSocket-Extensions:', `Sec-WebSocket-Extensions: ${value}`];
    expect(outcome(requestText({ fields: lines }))).toBe('extensions');
  });

  test('U15: blanks around the = of a parameter pass, and go on', () => {
    const offer = 'permessage-deflate; client_max_window_bits = 15;a\t="b";c= d;e';
    expect(offered(`${offer} , x`)).toEqual([offer]);
    expect(parseExtensions([offer])?.[0]?.params).toEqual([
      { name: 'client_max_window_bits', value: '15' },
      { name: 'a', value: 'b' },
      { name: 'c', value: 'd' },
      { name: 'e', value: null },
    ]);
  });

  test.each([
    'a;',
    ';a',
    'a; ;b',
    'a;=b',
    'a;b=',
    'a;b==c',
    'a; b = ',
    'a; = c',
    'a; b = = c',
    'a = b',
    'a; b = c d',
    'a, ;b',
    'a b',
    'a;b c',
    'a;b="',
    'a;b=""',
    'a;b="c',
    'a;b="c d"',
    'a;b="c,d"',
    'a;b="c\\',
    'a;b="c"d',
    'a=b',
    '"a"',
    'a/b',
    'a;b=(c)',
  ])('U15: %j is malformed', (value) => {
    expect(outcome(requestText({ fields: [`Sec-WebSocket-Extensions: ${value}`] }))).toBe('extensions');
    expect(
      outcome(requestText({ fields: ['Sec-WebSocket-Extensions: a', `Sec-WebSocket-Extensions: ${value}`] })),
    ).toBe('extensions');
  });

  test('U15: at most 32 offers in all lines', () => {
    const offers = (count: number) => `Sec-WebSocket-Extensions: ${Array(count).fill('a').join(', ')}`;
    expect(outcome(requestText({ fields: [offers(32)] }))).toBe('ok');
    expect(outcome(requestText({ fields: [offers(33)] }))).toBe('extensions');
    expect(outcome(requestText({ fields: [offers(20), offers(13)] }))).toBe('extensions');
    expect(outcome(requestText({ fields: [offers(4000)] }))).toBe('extensions');
    expect(outcome(requestText({ fields: [`${offers(32)},,,`] }))).toBe('ok');
  });
});

describe('answers (RFC 7692 7.1)', () => {
  const judge = (answer: string | string[], ...offers: string[]) => {
    const verdict = judgeExtensionAnswer(Array.isArray(answer) ? answer : [answer], offers);
    return verdict.ok ? verdict.text : false;
  };
  const PLAIN = 'permessage-deflate';
  const BROWSER = 'permessage-deflate; client_max_window_bits';

  test('B5: no answer is always right, an answer to no offer never', () => {
    expect(judge([], PLAIN)).toBeNull();
    expect(judge([])).toBeNull();
    expect(judge(PLAIN)).toBe(false);
    expect(judge('foo', PLAIN)).toBe(false);
    expect(judge(',', PLAIN)).toBe(false);
  });

  test('an empty field answers nothing, and null elements are none', () => {
    expect(judge('', PLAIN)).toBeNull();
    expect(judge('')).toBeNull();
    expect(judge(`${PLAIN},`, PLAIN)).toBe(PLAIN);
    expect(judge(['', PLAIN], PLAIN)).toBe(PLAIN);
    expect(judge(`, ${PLAIN}; server_max_window_bits = 12 ,`, PLAIN)).toBe(`${PLAIN}; server_max_window_bits = 12`);
  });

  // Servers whose window is 15 anyway do not name it, and some have fixed answers whatever was offered.
  const SERVERS = [
    PLAIN,
    `${PLAIN}; server_no_context_takeover; client_no_context_takeover`,
    `${PLAIN}; client_no_context_takeover`,
    `${PLAIN}; server_no_context_takeover`,
  ];
  const LIBRARIES = [
    `${PLAIN}; server_max_window_bits=15; client_max_window_bits=15`,
    `${PLAIN}; server_max_window_bits=15; client_max_window_bits`,
    `${PLAIN}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15`,
    `${PLAIN}; server_no_context_takeover`,
    `${PLAIN}; server_max_window_bits=10; client_max_window_bits`,
  ];
  test.each(LIBRARIES)('what an answer leaves out is for the client to judge: the offer %j', (offer) => {
    for (const answer of SERVERS) expect(judge(answer, offer)).toBe(answer);
  });

  test.each([
    [PLAIN, PLAIN],
    [`${PLAIN}; server_no_context_takeover; client_no_context_takeover`, PLAIN],
    [`${PLAIN}; server_max_window_bits=8`, PLAIN],
    [`${PLAIN};server_max_window_bits="15"`, PLAIN],
    [`${PLAIN}; client_max_window_bits=8`, BROWSER],
    [`${PLAIN}; client_max_window_bits=15; server_max_window_bits=9`, BROWSER],
    [PLAIN, BROWSER],
    [`${PLAIN}; client_max_window_bits=10`, `${PLAIN}; client_max_window_bits=10`],
    [`${PLAIN}; server_max_window_bits=10`, `${PLAIN}; server_max_window_bits=10`],
    [`${PLAIN}; server_max_window_bits=9`, `${PLAIN}; server_max_window_bits=10`],
    [`${PLAIN}; server_no_context_takeover`, `${PLAIN}; server_no_context_takeover`],
    [PLAIN, `${PLAIN}; client_no_context_takeover`],
  ])('the answer %j fits the offer %j', (answer, offer) => {
    expect(judge(answer, offer)).toBe(answer);
  });

  test.each([
    [`${PLAIN}; server_no_context_takeover=1`, PLAIN],
    [`${PLAIN}; client_no_context_takeover=""`, PLAIN],
    [`${PLAIN}; server_no_context_takeover; server_no_context_takeover`, PLAIN],
    [`${PLAIN}; unknown`, PLAIN],
    [`${PLAIN}; __proto__`, PLAIN],
    [`${PLAIN}; server_max_window_bits`, PLAIN],
    [`${PLAIN}; server_max_window_bits=7`, PLAIN],
    [`${PLAIN}; server_max_window_bits=16`, PLAIN],
    [`${PLAIN}; server_max_window_bits=08`, PLAIN],
    [`${PLAIN}; server_max_window_bits=1e1`, PLAIN],
    [`${PLAIN}; client_max_window_bits=10`, PLAIN],
    [`${PLAIN}; client_max_window_bits`, BROWSER],
    [`${PLAIN}; client_max_window_bits=7`, BROWSER],
    [`${PLAIN}; client_max_window_bits=16`, BROWSER],
    [`${PLAIN}; client_max_window_bits=10; client_max_window_bits=10`, BROWSER],
    [`${PLAIN}; client_max_window_bits=11`, `${PLAIN}; client_max_window_bits=10`],
    [`${PLAIN}; server_max_window_bits=11`, `${PLAIN}; server_max_window_bits=10`],
    [`${PLAIN}; server_max_window_bits=15; client_max_window_bits=15`, `${PLAIN}; server_max_window_bits=15`],
    [`${PLAIN}, ${PLAIN}`, PLAIN],
    [`${PLAIN}, foo`, PLAIN],
    [`${PLAIN};`, PLAIN],
  ])('B5: the answer %j does not fit the offer %j', (answer, offer) => {
    expect(judge(answer, offer)).toBe(false);
  });

  test('an answer may fit any of several offers; two lines are two answers', () => {
    const answer = `${PLAIN}; client_max_window_bits=12`;
    expect(judge(answer, `${PLAIN}; server_max_window_bits=10`, BROWSER)).toBe(answer);
    expect(judge(answer, `${PLAIN}; server_max_window_bits=10`, PLAIN)).toBe(false);
    expect(judge([PLAIN, PLAIN], PLAIN)).toBe(false);
  });
});
