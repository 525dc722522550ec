// Requests by construction: every field that decides a handshake, in every way in which known attacks and the fixtures
// of other parsers disguise, double, split or hide a line. Each is a valid upgrade but for what was grafted onto it.

import { requestText } from '../protocol/heads.ts';
import { type CorpusCase, hexByte, latin1, variants } from './corpus-case.ts';
import { FIELDS, withField, withFieldLine } from './request-fields.ts';
import { requestLines } from './request-lines.ts';
import { requestValues } from './request-values.ts';

/** Each control byte, blank, DEL, and bytes above 0x7F that other parsers take for blanks, dashes or line ends. */
export const ODD_BYTES: readonly string[] = [
  ...Array.from({ length: 0x21 }, (_, code) => String.fromCharCode(code)),
  ...'"(),/:;<=>?@[\\]{}|`\x7f\x80\x84\x85\x8a\x8d\x90\x96\xa0\xad\xc2\xe2\xef\xfe\xff',
];

export function requestHeads(): CorpusCase[] {
  return [
    ...oddBytes(),
    ...doubled(),
    ...disguisedNames(),
    ...lineEnds(),
    ...folded(),
    ...hidden(),
    ...requestLines(),
    ...requestValues(),
  ];
}

/** One odd byte in one place of one field line. */
function oddBytes(): CorpusCase[] {
  const places: readonly (readonly [place: string, make: (name: string, value: string, byte: string) => string])[] = [
    ['before the name', (name, value, byte) => `${byte}${name}: ${value}`],
    ['in the name', (name, value, byte) => `${name.slice(0, 2)}${byte}${name.slice(2)}: ${value}`],
    ['behind the name', (name, value, byte) => `${name}${byte}: ${value}`],
    ['for the colon', (name, value, byte) => `${name}${byte}${value}`],
    ['before the value', (name, value, byte) => `${name}:${byte}${value}`],
    ['in the value', (name, value, byte) => `${name}: ${value.slice(0, 1)}${byte}${value.slice(1)}`],
    ['behind the value', (name, value, byte) => `${name}: ${value}${byte}`],
  ];
  return places.flatMap(([place, make]) =>
    FIELDS.flatMap(({ name, value }) =>
      ODD_BYTES.map((byte) => ({
        group: `odd byte ${place}, ${name}`,
        variant: hexByte(byte),
        bytes: latin1(withFieldLine(name, make(name, value, byte))),
      })),
    ),
  );
}

/** The same field twice: equal, other case, other value, empty first or last, apart from each other. */
function doubled(): CorpusCase[] {
  return FIELDS.flatMap(({ name, value, other }) => {
    const line = `${name}: ${value}`;
    const ways: readonly (readonly [variant: string, lines: readonly string[]])[] = [
      ['equal', [line, line]],
      ['lower-case', [line, `${name.toLowerCase()}: ${value}`]],
      ['upper-case', [`${name.toUpperCase()}: ${value}`, line]],
      ['other-last', [line, `${name}: ${other}`]],
      ['other-first', [`${name}: ${other}`, line]],
      ['empty-last', [line, `${name}:`]],
      ['empty-first', [`${name}: `, line]],
      ['apart', [line, 'X-Between: 1', line]],
      ['thrice', [line, line, line]],
      ['listed', [`${name}: ${value}, ${value}`]],
      ['listed-other', [`${name}: ${value},${other}`]],
      ['listed-other-first', [`${name}: ${other} , ${value}`]],
    ];
    return ways.map(([variant, lines]) => ({
      group: `twice, ${name}`,
      variant,
      bytes: latin1(withFieldLine(name, lines.join('\r\n'))),
    }));
  });
}

/** Names that one reader takes for the field and another does not; the field itself stays, or goes. */
function disguisedNames(): CorpusCase[] {
  const disguises: readonly (readonly [variant: string, disguise: (name: string) => string])[] = [
    ['lower-case', (name) => name.toLowerCase()],
    ['upper-case', (name) => name.toUpperCase()],
    [
      'mixed-case',
      (name) => [...name].map((char, i) => (i % 2 === 0 ? char.toLowerCase() : char.toUpperCase())).join(''),
    ],
    ['underscore', (name) => name.replaceAll('-', '_').replace(/^([^_]*)$/, '$1_')],
    ['dot', (name) => `${name.replaceAll('-', '.')}.`],
    ['blank', (name) => name.replace('-', ' ').replace(/^([^ ]*)$/, '$1 x')],
    ['backslash', (name) => `${name.replaceAll('-', '\\')}\\`],
    ['percent', (name) => `%${hexByte(name[0] ?? '')}${name.slice(1)}`],
    ['prefixed', (name) => `X${name}`],
    ['suffixed', (name) => `${name}X`],
    ['quoted', (name) => `"${name}"`],
    ['apostrophes', (name) => `'${name}'`],
    ['junk', (name) => `${name} x`],
    ['colon-first', (name) => `:${name}`],
    ['two-colons', (name) => `${name}:`],
    ['utf8-dash', (name) => `${name}\xe2\x80\x90`],
    ['accented', (name) => `${name.slice(0, 1)}\xc3\xa9${name.slice(2)}`],
    ['kelvin', (name) => name.replace(/k/i, '\xe2\x84\xaa').replace(/^([!-~]*)$/, '$1\xe2\x84\xaa')],
    ['long-s', (name) => name.replace(/s/i, '\xc5\xbf').replace(/^([!-~]*)$/, '$1\xc5\xbf')],
  ];
  return FIELDS.flatMap(({ name, value }) =>
    disguises.flatMap(([variant, disguise]) => {
      const line = `${disguise(name)}: ${value}`;
      return [
        { group: `disguised name instead of ${name}`, variant, bytes: latin1(withFieldLine(name, line)) },
        { group: `disguised name besides ${name}`, variant, bytes: latin1(requestText({ fields: [line] })) },
      ];
    }),
  );
}

/** Each line end of a request in turn replaced by something that another parser ends a line with. */
function lineEnds(): CorpusCase[] {
  const ends = ['\n', '\r', '\r\r\n', '\n\r', '\n\n', '\r\n\n', '\r\n\r', '\0\r\n', '\r\0\n', ' \r\n', '\t\r\n'];
  ends.push('\x0b\r\n', '\x0c\r\n', '\x1c\r\n', '\x85', '\x85\r\n', '\xe2\x80\xa8', '\\r\\n', '\r\n\r\n', '\r\n \r\n');
  ends.push('', ' ', '\xc4\x8d\xc4\x8a', '\x8d\x8a');
  const plain = requestText({ fields: ['X-Last: 1'] });
  const places = [...plain.matchAll(/\r\n/g)].map(({ index }) => index);
  return [
    ...places.flatMap((at, line) =>
      variants(`line end ${line}`, ends, (end) => plain.slice(0, at) + end + plain.slice(at + 2)),
    ),
    ...variants('all line ends', ['\n', '\r', '\r\r\n', '\n\r', '\x85', '\x0b'], (end) =>
      plain.replaceAll('\r\n', end),
    ),
    ...variants('behind the request line', ['\r\n', ' ', '\t', ' \r\n', '\0', ': x\r\n', 'x\r\n'], (junk) =>
      plain.replace('\r\n', `\r\n${junk}`),
    ),
    ...variants('before the request line', PREFIXES, (junk) => junk + plain),
  ];
}

const PREFIXES: readonly string[] = [
  ...[
    '\r\n',
    '\r\n\r\n',
    '\n',
    '\r',
    '\n\r\n',
    '\r\r\n',
    '\0',
    ' ',
    '\t',
    '\r\n ',
    '\x0b',
    '\xef\xbb\xbf',
    '0\r\n\r\n',
    'x',
  ],
  'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
  'PROXY UNKNOWN\r\n',
  '\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x01\x00\x02',
  'SSH-2.0-x\r\n',
  '\x16\x03\x01\x00\x05',
  'GET / HTTP/0.9\r\n\r\n',
  'GET /\r\n',
];

/** Field lines that go on in the next line (RFC 9112 5.2). */
function folded(): CorpusCase[] {
  return FIELDS.flatMap(({ name, value }) => {
    const ways: readonly (readonly [variant: string, line: string])[] = [
      ['value-on-next', `${name}:\r\n ${value}`],
      ['value-on-next-tab', `${name}:\r\n\t${value}`],
      ['value-on-next-lf', `${name}:\n ${value}`],
      ['colon-on-next', `${name}\r\n : ${value}`],
      ['colon-on-next-lf', `${name}\n : ${value}`],
      ['line-as-fold', `X-Fold: 1\r\n ${name}: ${value}`],
      ['line-as-fold-tab', `X-Fold: 1\r\n\t${name}: ${value}`],
      ['empty-fold', `${name}: ${value}\r\n `],
      ['cr-fold', `${name}:\r ${value}`],
      ['blank-line-fold', `${name}: ${value}\r\n \r\n`],
      ['next-glued', `${name}: ${value}\r\n\x0b`],
    ];
    return ways.map(([variant, line]) => ({
      group: `folded, ${name}`,
      variant,
      bytes: latin1(withFieldLine(name, line)),
    }));
  });
}

/** A field that only some readers see: behind another line's odd end, or in a line that is none. */
function hidden(): CorpusCase[] {
  const covers: readonly (readonly [variant: string, before: string, after: string])[] = [
    ['behind-lf', 'X: y\n', ''],
    ['behind-cr', 'X: y\r', ''],
    ['behind-cr-at-line-start', 'X: y\r\n\r', ''],
    ['behind-lf-cr', 'X: y\n\r', ''],
    ['behind-nul', 'X: y\0\r\n', ''],
    ['behind-bare-nul', 'X: y\0', ''],
    ['behind-ff', 'X: y\x0c', ''],
    ['behind-nel', 'X: y\x85', ''],
    ['behind-u2028', 'X: y\xe2\x80\xa8', ''],
    ['behind-u010d-u010a', 'X: y\xc4\x8d\xc4\x8a', ''],
    ['behind-escaped', 'X: y%0d%0a', ''],
    ['behind-caret-tilde', 'X: y^~', '^~z: z'],
    ['behind-nameless', ':\r\n', ''],
    ['behind-colonless', 'X\r\n', ''],
    ['behind-empty-value', 'X:\r\n', ''],
    ['behind-quote', 'X: "\r\n', '"'],
    ['in-quotes', 'X: "', '"'],
    ['in-a-comment', 'X: (', ')'],
  ];
  return FIELDS.flatMap(({ name, other }) =>
    covers.map(([variant, before, after]) => ({
      group: `hidden, ${name}`,
      variant,
      bytes: latin1(requestText({ fields: [`${before}${name}: ${other}${after}`] })),
    })),
  ).concat(
    FIELDS.map(({ name, value }) => ({ group: 'plain field', variant: name, bytes: latin1(withField(name, value)) })),
  );
}
