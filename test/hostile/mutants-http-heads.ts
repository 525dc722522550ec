// The mutants of H50 to H79: where a plain request ends, and what of its head goes on.

import type { Mutant } from './mutants.ts';

function edit(at: string, row: string, search: string, replace: string, why?: string): Mutant {
  return { row, at, search, replace, ...(why === undefined ? {} : { why }) };
}

export const HTTP_HEAD_MUTANTS: readonly Mutant[] = [
  edit('plainRequestHead', 'H50', "'Transfer-Encoding', 'chunked'", "'Content-Length', '0'"),
  edit('RequestReader.takeHead', 'H50', "framing.kind === 'none'", "framing.kind !== 'length'"),
  edit('bodyFramingOf', 'H51', "version === '1.0' || length !== undefined", "version === '1.0'"),
  edit('bodyFramingOf', 'H52', 'lengths.length > 1 || ', ''),
  edit('bodyFramingOf', 'H52', '(?:0|[1-9][0-9]*)', '[0-9]*', 'zeros in front, and none at all'),
  edit('bodyFramingOf', 'H53', 'codings.length === 1 && ', '', 'in two lines'),
  edit('bodyFramingOf', 'H53', "codings[0]?.toLowerCase() === 'chunked'", "codings[0]?.endsWith('chunked')"),
  edit('bodyFramingOf', 'H54', "version === '1.0' || ", ''),
  edit('judgeBody', 'H55', "length === '0' ? null : 'body'", 'null'),
  edit('judgePlainRequest', 'H56', "if (connection.some(isKnownEndToEnd)) return 'connection_option';", ''),
  edit(
    'judgePlainRequest',
    'H56',
    'new Set(connection.filter((name) => !isHopByHop(name)))',
    'new Set()',
    'stays here',
  ),
  edit('passes', 'H57', 'isHopByHop(lower) || ', ''),
  edit('WEBSOCKET', 'H58', '~0-9A-Za-z])/i', '~0-9A-Za-z])/', 'in any case'),
  edit('WEBSOCKET', 'H58', 'websocket(?!', 'websocket(?=$|[\\t ,/])(?!', 'what is no list too'),
  edit('PlainConnection.onHead', 'H58', 'asksForWebSocket(head.fields)', "head.method === ''"),
  edit('splitTarget', 'H59', "if (absolute === null) return 'target_form';", ''),
  edit('judgePlace', 'H60', 'host === undefined || moreHosts.length > 0', 'host === undefined'),
  edit('passes', 'H61', ' || !isSafeName(lower)', ''),
  edit('HeadParser.startField', 'H62', "isOws(byte) ? 'obs_fold' : nameSlug(byte)", 'nameSlug(byte)'),
  edit('BodyReader.takeByte', 'H63', 'this.expect(byte, Byte.CR, Part.DataLf);', 'this.part = Part.DataLf;'),
  edit('BodyReader.takeSize', 'H63', ' && this.digits < CHUNK_DIGITS_MAX', '', 'it overflows'),
  edit('BodyReader.takeSize', 'H63', 'byte === Byte.CR && this.digits > 0', 'byte === Byte.CR', 'no size'),
  edit('BodyReader.takeExtension', 'H64', 'FIELD_ASCII[byte] !== 1', 'byte === Byte.NUL'),
  edit(
    'BodyReader.takeExtension',
    'H64',
    'this.extensions > this.limits.headBytesMax',
    'this.extensions > 2 * this.limits.headBytesMax',
  ),
  edit('BodyReader.newTrailers', 'H65', '      fieldsMax,', '      fieldsMax: fieldsMax + 1,'),
  edit('judgePlace', 'H66', 'if (!verdict.ok) return verdict.slug;', 'if (!verdict.ok) verdict.slug;'),
  edit('newHeadParser', 'H67', 'limits.max_header_fields', 'limits.max_header_fields + 1'),
  edit('newHeadParser', 'H67', 'limits.max_head_size', 'limits.max_head_size + 1'),
  edit('judgePlainRequest', 'H68', 'METHODS.has(method)', 'METHODS.has(method.toUpperCase())'),
  edit('PlainConnection.onProbe', 'H69', '!draining && !refusing', 'false'),
  edit('readHead', 'H70', 'listener.read(parser.head)', 'parser.head'),
  edit('RequestReader.takeHead', 'H71', 'this.part = WAITING', 'this.part = NEXT_HEAD'),
  edit('RequestReader.readHeld', 'H71', 'if (held !== null) this.take(held, 0, held.length);', '', 'what has waited'),
  edit('Joint.add', 'H72', "this.size, 'latin1'", "this.size, 'utf8'"),
];
