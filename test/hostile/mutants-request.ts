// The mutants of the groups H, U, P and X: what a request is refused for, and what of it goes on.

import type { Mutant } from './mutants.ts';

type Edit = (row: string, search: string, replace: string, why?: string) => Mutant;

function inFile(file: string): Edit {
  return (row, search, replace, why) => ({ row, file, search, replace, ...(why === undefined ? {} : { why }) });
}

const charset = inFile('src/protocol/charset.ts');
const chooseRoute = inFile('src/edge/choose-route.ts');
const admission = inFile('src/edge/admission.ts');
const clientAddress = inFile('src/edge/client-address.ts');
const connection = inFile('src/edge/connection.ts');
const earlyBytes = inFile('src/edge/early-bytes.ts');
const extensions = inFile('src/protocol/extensions.ts');
const fieldNames = inFile('src/protocol/field-names.ts');
const forward = inFile('src/protocol/forward.ts');
const handshakeFile = inFile('src/edge/handshake.ts');
const headParser = inFile('src/protocol/head-parser.ts');
const host = inFile('src/protocol/host.ts');
const httpHead = inFile('src/protocol/http-head.ts');
const liveListener = inFile('src/edge/live-listener.ts');
const lists = inFile('src/protocol/lists.ts');
const pathDecoding = inFile('src/protocol/path-decoding.ts');
const pathFile = inFile('src/protocol/path.ts');
const refusals = inFile('src/protocol/refusals.ts');
const refusalReport = inFile('src/edge/refusal-report.ts');
const relaxedChecks = inFile('src/edge/relaxed-checks.ts');
const router = inFile('src/edge/router.ts');
const subprotocols = inFile('src/protocol/subprotocols.ts');
const upgrade = inFile('src/protocol/upgrade-request.ts');
const upstreamFile = inFile('src/upstream/upstream.ts');

const syntax: readonly Mutant[] = [
  headParser(
    'H1',
    'if (byte === Byte.CR) {\n      this.#addField(bytes, i);\n      this.#phase = Phase.LineFeed;',
    'if (byte === Byte.CR || byte === Byte.LF) {\n      this.#addField(bytes, i);\n' +
      '      this.#phase = byte === Byte.CR ? Phase.LineFeed : Phase.LineStart;',
  ),
  headParser('H2', 'if (byte !== Byte.LF) {', 'if (byte !== Byte.LF && this.#phase !== Phase.LineFeed) {'),
  httpHead('H2', 'this.#part === Part.Start && byte === Byte.CR', 'byte === Byte.CR', 'before the request line'),
  headParser('H3', 'if (byte !== Byte.LF) {', 'if (byte !== Byte.LF && this.#phase !== Phase.LastLineFeed) {'),
  charset('H4', "classOf('\\t ')", "classOf('\\t \\0')"),
  httpHead('H4', "byte === Byte.NUL ? 'ctl' : slug", 'slug', 'NUL in the request line'),
  charset('H5', "classOf('\\t ').fill(1, VISIBLE_FROM, VISIBLE_TO + 1)", "classOf('\\t ').fill(1, VISIBLE_FROM, 0x80)"),
  charset('H5', "classOf('\\t ')", "classOf(' ')", 'HTAB is legal'),
  charset('H6', 'FIELD_ASCII.slice().fill(1, 0x80)', 'FIELD_ASCII.slice()', 'it passes in ordinary values'),
  charset('H6', 'FIELD_ASCII.slice().fill(1, 0x80)', 'FIELD_ASCII.slice().fill(1, 0x80, 0xff)', 'the last byte too'),
  charset('H6', 'code === Byte.SP || code === Byte.HTAB', 'code === Byte.SP || code === Byte.HTAB || code === 0xa0'),
  httpHead('H6', 'this.valueClass = FIELD_ASCII;', 'this.valueClass = FIELD_TEXT;'),
  httpHead('H6', "lower.startsWith('sec-websocket-') ? HANDSHAKE_RULE : null", 'null', 'all of Sec-WebSocket-*'),
  httpHead('H6', "  ['origin', { onceBit: 8, obsText: 'obs_text', control: 'ctl' }],\n", ''),
  headParser('H7', 'if (byte !== Byte.COLON) {', 'if (byte !== Byte.COLON && !isOws(byte)) {'),
  headParser(
    'H8',
    "this.fail(isOws(byte) ? 'obs_fold' : nameSlug(byte));",
    'if (!isOws(byte)) this.fail(nameSlug(byte));\n    this.mark = i - this.base;\n    this.#phase = Phase.Value;',
    'a folded line is one more value of the field before',
  ),
  headParser('H9', "this.earlyCr('header_name');", 'this.#phase = Phase.LineFeed;', 'a line without a colon'),
  headParser(
    'H9',
    'if (TOKEN[byte] === 1) {',
    'if (byte === Byte.COLON) {\n      this.mark = i - this.base;\n      this.#phase = Phase.Name;\n' +
      '      return i;\n    }\n    if (TOKEN[byte] === 1) {',
    'an empty name',
  ),
  charset('H10', 'DIGIT}!#', 'DIGIT}!;#'),
  charset('H10', '_\\`|~', '_\\`~', 'a token is a name'),
  httpHead(
    'H11',
    "if (byte !== Byte.CR) return this.#refuseInLine(byte, i, 'request_line');\n      this.startLineEnd();",
    'if (byte === Byte.SP) {\n        this.#matched = at;\n        return i + 1;\n      }\n' +
      "      if (byte !== Byte.CR) return this.#refuseInLine(byte, i, 'request_line');\n      this.startLineEnd();",
    'a trailing space',
  ),
  httpHead('H11', 'byte === Byte.SP && i > start', 'byte === Byte.SP', 'an empty method'),
  httpHead('H11', 'if (byte === Byte.SP && i === start) return', 'if (byte === 0) return', 'an empty target'),
  httpHead('H11', '? Byte.ZERO + 1 : Byte.ZERO', '? Byte.ZERO : Byte.ZERO', 'HTTP/0.9'),
  httpHead(
    'H11',
    'this.mark = next - this.base;\n    this.#part = Part.Method;',
    'this.mark = next - this.base;\n    this.#part = this.#part === Part.EmptyLine ? Part.Start : Part.Method;',
    'a second empty line',
  ),
  httpHead('H11', 'this.#part = Part.EmptyLine;', "this.earlyCr('request_line');", 'one empty line is legal'),
  upgrade('H12', "if (head.version !== '1.1')", "if (head.version !== '1.1' && head.version !== '1.0')"),
  upgrade('H13', "if (head.version !== '1.1')", "if (head.version === '1.0')"),
  upgrade('H13', "head.method === 'PRI' && head.version === '2.0'", "head.method === 'PRI' && head.version === '1.1'"),
  httpHead('H13', 'isDot ? byte === Byte.DOT :', 'isDot ? byte !== Byte.CR :', 'the dot of a version'),
  upgrade('H14', "if (head.method !== 'GET')", "if (head.method.toUpperCase() !== 'GET')"),
  upgrade('H14', "if (head.method !== 'GET')", "if (head.method !== 'GET' && head.method !== 'TRACE')"),
  refusals('H14', "    fields: [['Allow', 'GET']],\n", ''),
  httpHead('H14', 'const METHOD_BYTES_MAX = 32;', 'const METHOD_BYTES_MAX = 33;'),
  upgrade('H15', "if (head.method !== 'GET')", "if (head.method !== 'GET' && head.method !== 'CONNECT')"),
  upgrade('H16', 'ABSOLUTE.exec(target)', "ABSOLUTE.exec('')"),
  upgrade('H16', "splitQuery(rest.startsWith('/') ? rest :", "splitQuery(rest !== '' ? rest :", 'only a query'),
  upgrade('H17', '!sameAuthority(target.authority, hostParts)', "hostParts.hostname === ''"),
  upgrade('H17', ' && (parts.port ?? defaultPort) === (host.port ?? defaultPort)', '', 'the port'),
  upgrade('H17', 'DEFAULT_PORTS.get(scheme.toLowerCase())', 'DEFAULT_PORTS.get(scheme.toLowerCase()) ?? 80'),
  upgrade('H17', 'parseHost(authority)', "parseHost(authority.slice(authority.indexOf('@') + 1))"),
  upgrade('H18', "return 'target_form';", "return { path: '/', query: '', authority: null };"),
  charset('H19', "visibleExcept('#\"<>\\\\`{}?')", "visibleExcept('\"<>\\\\`{}?')", 'in the path'),
  charset('H19', "visibleExcept('#\"<>')", "visibleExcept('\"<>')", 'in the query'),
  charset('H20', "visibleExcept('#\"<>\\\\`{}?')", "visibleExcept('#\"<>`{}?')", 'a backslash in the path'),
  charset('H20', "visibleExcept('#\"<>')", "visibleExcept('#\"<')", 'one of the four in the query'),
  charset('H20', "visibleExcept('#\"<>')", "visibleExcept('#\"<>%')", 'a stray % in the query is legal'),
  charset(
    'H20',
    'fill(1, VISIBLE_FROM, VISIBLE_TO + 1);\n  for',
    'fill(1, VISIBLE_FROM);\n  for',
    'bytes from 0x7f on',
  ),
  upgrade('H21', 'host === undefined || moreHosts.length > 0 ? null', 'host === undefined ? null', 'twice'),
  upgrade('H21', 'const [host, ...moreHosts]', "const [host = 'framegate.test', ...moreHosts]", 'missing'),
  host('H21', ' || !NAME.test(name)', '', 'bytes that no host holds'),
  host('H21', 'return port <= PORT_MAX ? port : undefined;', 'return port;'),
  host('H21', 'const HOSTNAME_MAX = 253;', 'const HOSTNAME_MAX = 252;', 'the longest host is legal'),
  connection(
    'H22',
    'if (step === HeadStep.NeedData) return;',
    'if (step === HeadStep.NeedData) {\n      const { edge } = this;\n' +
      '      edge.wheel.schedule(this, edge.clock.now() + edge.snapshot.config.timeouts.handshake);\n' +
      '      return;\n    }',
    'counted from accept, not from the last byte',
  ),
  connection(
    'H22',
    'if (parser !== null) {\n      this.report',
    "if (parser === null) {\n      this.refuse('handshake_timeout');\n    } else {\n      this.report",
    'no answer when no byte came',
  ),
  headParser(
    'H23',
    'const members = this.valueClass;\n    let i = from;',
    'const members = this.valueClass;\n    let i = this.base + this.mark;',
    'the scan resumes where it stopped',
  ),
  headParser('H23', 'Math.max(held.length * 2, used', 'Math.max(0, used', 'the buffer grows by doubling'),
  headParser('H23', 'held.copy(larger, 0, 0, used);', '', 'what was read is kept'),
  httpHead('H24', 'start + this.#targetBytesMax', 'start + this.#targetBytesMax + 1'),
  headParser('H25', 'this.#caps.headBytesMax - this.bytesSeen', 'this.#caps.headBytesMax + 1 - this.bytesSeen'),
  headParser('H26', 'this.fields.length === this.#caps.fieldsMax', 'this.fields.length > this.#caps.fieldsMax'),
  lists(
    'H27',
    'seen.has(token)',
    'token in Object.fromEntries([...seen].map((value) => [value, true]))',
    'an object in place of the set',
  ),
  httpHead('H28', "if ((this.#seenOnce & rule.onceBit) !== 0) return 'dup_field';\n", '\n'),
  upgrade(
    'H28',
    "strictElements(valuesOf(fields, 'upgrade'), isProtocol)",
    "strictElements(valuesOf(fields, 'upgrade').slice(0, 1), isProtocol)",
    'several lines are one list',
  ),
];

const handshake: readonly Mutant[] = [
  upgrade('U1', "upgrade.includes('websocket')", "upgrade.join().includes('websocket')"),
  lists('U1', 'elements.push(element.toLowerCase())', 'elements.push(element)', 'in any case'),
  refusals('U1', "slug === 'upgrade_required' ? 'Upgrade, close' : 'close'", "'close'"),
  upgrade('U2', "connection.includes('upgrade')", "connection.join().includes('upgrade')"),
  upgrade('U3', "upgrade.includes('websocket')", "upgrade.some((name) => name === 'websocket' || name === 'h2c')"),
  fieldNames('U3', "  'http2-settings',\n", ''),
  upgrade('U4', "if (version !== '13')", "if (version !== undefined && version !== '13')"),
  upgrade('U4', "if (version !== '13')", 'if (Number(version) !== 13)'),
  refusals('U4', "    fields: [['Sec-WebSocket-Version', '13']],\n", ''),
  upgrade('U5', '{22}==$/', '{20,24}={0,2}$/'),
  upgrade('U6', "return length === '0' ? null : 'body';", 'return null;'),
  upgrade('U6', "return length === '0' ? null : 'body';", "return 'body';", '0 is accepted'),
  forward('U6', "  'content-length',\n", '', '0 does not go on'),
  upgrade(
    'U7',
    "valuesOf(fields, 'transfer-encoding').length > 0",
    "valuesOf(fields, 'transfer-encoding').some((name) => name.includes('chunked'))",
  ),
  upgrade('U8', '!/^(?:0|[1-9][0-9]*)$/.test(length)', 'Number.isNaN(Number(length))'),
  upgrade('U8', 'more.length > 0 || ', '', 'twice'),
  upgrade('U9', "valuesOf(fields, 'expect').length > 0", "valuesOf(fields, 'expect').length > 1"),
  connection('U10', 'early.append(rest, 0, rest.length);', 'early.append(rest, 0, 0);'),
  connection('U11', "return this.state.kind === 'opening' ? this.state.handshake.early.size : 0;", 'return 0;'),
  connection('U11', '    transport.end();\n', ''),
  connection('U12', 'record.begin(early, leftover,', 'record.begin(null, null,'),
  connection('U13', 'if (handshake.hasSentEnough || this.edge.buffers.isOver)', 'if (this.edge.buffers.isOver)'),
  handshakeFile('U13', 'route.config.timeouts.open;', 'route.config.timeouts.open + 60_000;'),
  handshakeFile('U13', 'connectMs: timeouts.connect', 'connectMs: timeouts.open'),
  handshakeFile('U13', 'upgradeMs: timeouts.upgrade', 'upgradeMs: timeouts.open + 1'),
  earlyBytes('U13', 'this.size >= bytesMax;', 'this.size >= 2 * bytesMax;'),
  upgrade('U14', 'const PROTOCOLS_MAX = 32;', 'const PROTOCOLS_MAX = 33;'),
  upgrade('U14', 'const PROTOCOLS_MAX = 32;', 'const PROTOCOLS_MAX = 31;', '32 are legal'),
  lists('U14', '!isToken(token) || ', "token === '' || "),
  lists('U14', ' || seen.has(token)', ''),
  lists('U14', "      if (token === '') continue;\n", '', 'null elements are ignored'),
  lists('U14', 'seen.size === 0 && isCommasAlone(values) ? null : [...seen]', '[...seen]', 'commas alone'),
  extensions('U15', '      if (scanner.atElementEnd) continue;\n', '', 'null elements are ignored'),
  extensions(
    'U15',
    'extensions.length === 0 && isCommasAlone(values) ? null : extensions',
    'extensions',
    'commas alone',
  ),
  extensions('U15', "!scanner.skip('=')", "!scanner.take('=')", 'blanks around ='),
  extensions('U15', 'export const OFFERS_MAX = 32;', 'export const OFFERS_MAX = 33;'),
  extensions('U15', '    if (!scanner.atEnd) return null;\n', ''),
  extensions('U15', 'text: scanner.text.slice(start, end), name,', 'text: name, name,', 'verbatim'),
  upgrade('U15', '.filter((offer) => offer.name === PERMESSAGE_DEFLATE)', '', 'only permessage-deflate'),
  handshakeFile('U15', "compression === 'passthrough' ? request.deflateOffers : []", 'request.deflateOffers'),
  upgrade('U16', "if (connection.some(isKnownEndToEnd)) return 'connection_option';\n", '\n'),
  fieldNames('U16', "  'cookie',\n", ''),
  fieldNames('U16', ' || lower.startsWith(HANDSHAKE_PREFIX)', '', 'all fields of the handshake'),
  fieldNames('U16', ' || isProxyClaim(lower);', ';', 'what is removed from strangers'),
  forward('U16', ' || nominated.has(lower)', ''),
  subprotocols('U40', "entry.endsWith('*') && name.startsWith(entry.slice(0, -1))", 'false'),
  subprotocols('U40', 'name.startsWith(entry.slice(0, -1))', 'name.includes(entry.slice(0, -1))'),
  refusalReport('U40', 'kept: kept.map((name) => entryFor(name, list)),', 'kept,', 'not the credential'),
  relaxedChecks('U31', 'return isProxy ? relax.filter', 'return relax.length < 0 ? relax.filter', 'from a proxy'),
  relaxedChecks('U31', "peerAddress === '' || ", '', 'on a unix socket'),
  upgrade('U31', "if (connection === null) return 'connection_token';", '', 'what is no list of tokens'),
  upgrade('U31', "if (!isRelaxed('connection_token')) return 'connection_token';", '', 'on every route'),
  upgrade('U32', "if (!isRelaxed('key')) return 'key';", '', 'on every route'),
  upgrade('U32', '{1,128}={0,2}$/', '{1,}={0,2}$/', 'the longest'),
  admission('U32', 'report.noteRelaxed(request.relaxed);', '', 'a use is counted'),
  connection(
    'U17',
    'state.discarded += end - start;',
    'this.readHead(new RequestHeadParser({ headBytesMax: 16384, targetBytesMax: 8192, fieldsMax: 100 }), ' +
      'bytes, start, end);',
  ),
];

const paths: readonly Mutant[] = [
  pathFile('P1', '\\/\\.\\.?(?:[/;]|$)', '\\/\\.\\.(?:[/;]|$)'),
  pathFile('P1', '\\/\\.\\.?(?:[/;]|$)', '\\/\\.\\.?', 'names that begin with a dot are legal'),
  pathDecoding('P2', 'if (code !== SLASH && code !== BACKSLASH)', 'if (code !== SLASH)'),
  pathDecoding('P2', "if (code === PERCENT) return '%25';\n", '\n', 'nothing twice'),
  pathDecoding('P2', ' || (high === 0 && low === 0)', '', 'NUL'),
  pathDecoding('P2', 'if (high === -1 || low === -1', 'if (high === -1'),
  pathDecoding(
    'P2',
    'return String.fromCharCode(code);',
    "return code === 0x2e ? '.' : '%'.concat(code.toString(16).padStart(2, '0'));",
    'escapes of unreserved bytes',
  ),
  chooseRoute('P2', 'if (!decoded.twins.includes(match.route)) return true;\n', '\n', 'another route'),
  chooseRoute('P2', 'return match !== decoded;', 'return decoded === null && match !== null;', 'none as sent'),
  chooseRoute('P2', 'return usesRest && ', 'return false && usesRest && ', 'another rest'),
  chooseRoute('P2', 'return usesRest && ', 'return ', 'a rest that nobody uses'),
  router('P2', 'decoded ? decodedLiteral(segment.text) : segment.text', 'segment.text', 'the escapes of a route'),
  upgrade('P2', 'judgePath(target.path)', 'judgePath(target.path + target.query)', 'the query is not judged'),
  pathFile('P3', "path.startsWith('//')", "path.startsWith('///')"),
  pathFile('P4', '(?:[/;]|$)', '(?:[/]|$)'),
  router('P4', 'path.slice(at + 1, end)', "path.slice(at + 1, end).split(';', 1).join()", 'an ordinary byte'),
  router('P5', 'path.slice(at + 1, end)', 'path.slice(at + 1, end).toLowerCase()', 'case counts'),
  router('P5', 'if (at === path.length && node.exact', 'if (at >= path.length - 1 && node.exact', 'the slash counts'),
  router('P5', 'node.param === null || end === at + 1 ?', 'node.param === null ?', 'an empty segment'),
  host('P6', '{ hostname: bare.toLowerCase(), port }', '{ hostname: bare, port }'),
  host('P6', "name.endsWith('.') ? name.slice(0, -1) : name", 'name'),
  upgrade('P6', 'detached(hostParts.hostname)', 'detached(host.toLowerCase())', 'the port'),
  router(
    'P8',
    '?? findPath(table.any, path, 0);',
    '?? findPath(table.any, path, 0) ?? findPath([...table.exact.values()].at(-1) ?? table.any, path, 0);',
  ),
  refusals('P8', 'error: slug, request_id', 'error: slug, text: row.text, request_id'),
  chooseRoute('P20', 'if (!verdict.ok) return { slug: verdict.slug, cause };\n', '\n'),
  chooseRoute('P20', 'const target = base + path;', 'const target = path;', 'behind a base it is legal'),
  upstreamFile('P20', 'new Set(targets.map(', 'new Set(targets.slice(0, 1).map(', 'whichever target is chosen'),
  chooseRoute('P21', 'target.length + query.length > lengthMax', 'target.length > lengthMax + query.length'),
  chooseRoute('P21', 'target.length + query.length > lengthMax', 'target.length + query.length >= lengthMax'),
  liveListener('P22', "this.config.paths.leading_slashes === 'refuse'", "this.config.name !== ''"),
  pathFile('P22', '?\\/{2,}/', '?\\/{2}/', 'all of them'),
  connection('P22', 'if (this.answersHealth(head)) return;', 'if (this.answersHealth(parser.head)) return;'),
  chooseRoute('P23', "match?.route.match.encoded_slashes === 'keep'", 'false'),
  chooseRoute('P23', "match?.route.match.encoded_slashes === 'keep'", 'true', 'routes that refuse'),
  chooseRoute('P23', 'return (keeps || hasEncodedSlash(path)) && isMoved', 'return false && isMoved', 'other escapes'),
];

const forwarded: readonly Mutant[] = [
  forward('X1', 'return peerTrusted || !isProxyClaim(lower);', 'return !peerTrusted || !isProxyClaim(lower);'),
  forward('X1', 'const chain = peerTrusted ? valuesOf', 'const chain = fields.length > 0 ? valuesOf'),
  fieldNames('U30', "  'cf-connecting-ip',\n", ''),
  fieldNames('U30', "  'x-remote-extra-',\n", '', 'a family'),
  forward(
    'U30',
    'return peerTrusted || !isProxyClaim(lower);',
    'return !isProxyClaim(lower);',
    'a trusted one may say so',
  ),
  forward('X1', ' || !isSafeName(lower)', '', 'with another dash'),
  clientAddress('X1', '    if (!this.trusts(peer)) return client;\n', ''),
  refusalReport('X1', 'if (peerTrusted && requestId !== undefined', 'if (requestId !== undefined', 'the request id'),
  refusalReport('X2', '{1,128}$', '{1,129}$', 'the longest request id'),
  clientAddress('X2', 'const ENTRIES_MAX = 32;', 'const ENTRIES_MAX = 33;'),
  clientAddress('X2', 'if (address === null) return client;', 'if (address === null) continue;'),
  clientAddress('X2', '        if (!this.trusts(address)) return client;\n', ''),
  clientAddress('X2', 'line >= 0; line--', 'line >= 0 && line === forwardedFor.length - 1; line--', 'several lines'),
  clientAddress('X2', 'zone === -1 ? text : text.slice(0, zone)', 'text', 'zones'),
  fieldNames('X7', "  'proxy-authorization',\n", ''),
  fieldNames('X7', "  'te',\n", "  'te',\n  'cookie2',\n  'referer',\n", 'all others go on'),
  admission('X7', 'namesInstance(head, edge.instanceId)', "namesInstance(head, '')"),
  forward('X7', 'receivedBy === instanceId', 'receivedBy?.startsWith(instanceId)'),
];

export const REQUEST_MUTANTS: readonly Mutant[] = [...syntax, ...handshake, ...paths, ...forwarded];
