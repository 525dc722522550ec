// What is moved into an otherwise valid upgrade, and why our verdict is what it is wherever another server's differs.

import { KEY, requestText } from '../protocol/heads.ts';

export interface Graft {
  readonly name: string;
  readonly bytes: Buffer;
  /** Why our verdict is right where one of the others has another; null where all agree. */
  readonly reason: string | null;
}

const plain = requestText({});
const latin1 = (text: string) => Buffer.from(text, 'latin1');
const graft = (name: string, text: string, reason: string | null = null): Graft => ({
  name,
  bytes: latin1(text),
  reason,
});
const line = (requestLine: string) => requestText({ line: requestLine });
const target = (text: string) => line(`GET ${text} HTTP/1.1`);
const fields = (...lines: string[]) => requestText({ fields: lines });
const instead = (name: string, ...lines: string[]) => requestText({ without: [`${name}:`], fields: lines });

/** Why framegate decides as it does; many grafts share a reason. */
const why = {
  lineFeed:
    'RFC 9112 2.2 lets a recipient take LF for a line end, and does not ask for it. Two readers of one stream ' +
    'must find the same lines, so only CR LF ends one.',
  carriageReturn: 'RFC 9112 2.2: a CR that no LF follows is invalid, wherever it stands.',
  emptyLines: 'RFC 9112 2.2 speaks of one empty line before a request line, CR LF.',
  control: 'RFC 9110 5.5: no control bytes in a value but HTAB; what a backend makes of them nobody knows.',
  blanks: 'RFC 9110 5.5: SP and HTAB around a value are no part of it. nginx keeps the HTAB at its end.',
  obsText: 'A field that decides the handshake holds ASCII: above 0x7F readers differ in what they see.',
  name:
    'RFC 9112 5.1 and 9110 5.6.2: a name is a token, and its colon follows at once. nginx drops such a line ' +
    'silently, and the field that it was meant to be with it.',
  colonless: 'RFC 9112 5: a field line has a colon. nginx forwards it with one.',
  spelling:
    'Legal, but backends that map names to variables take the byte for a dash: a second spelling of fields ' +
    'that we set. Only letters, digits and dashes go on.',
  longName: "A legal name within limits.max_head_size; HAProxy's buffer is smaller for it.",
  folded:
    'RFC 9112 5.2: a server may refuse folded lines. Joining them is what lets a line hide from the next ' + 'reader.',
  tooManyFields: 'limits.max_header_fields is 100; the excess is refused, never dropped.',
  longValue: "Within limits.max_head_size (16 KiB); nginx's buffers hold lines of 8 KiB.",
  requestLine:
    'RFC 9112 3: one space between the parts of a request line and none behind it; a lenient reader may find ' +
    'another target in it.',
  oldVersion: 'RFC 9110 7.8: an Upgrade in HTTP/1.0 is ignored, and HTTP/0.9 has none; neither may become a WebSocket.',
  version:
    'RFC 9112 2.3: an upgrade belongs to HTTP/1.1. What is no version of that form is malformed, another ' +
    'version is 505.',
  method:
    'RFC 6455 4.1: the method of a handshake is GET. For any other the backend would answer, or be confused ' +
    'by, something else.',
  asterisk: 'RFC 9112 3.2: asterisk-form belongs to OPTIONS.',
  absolute: 'RFC 9112 3.2.2: taken apart, and the backend gets origin-form, as every proxy must make it (3.2.1).',
  authority:
    "The authority must be Host's and nothing else: routes and backends may choose by either of them. RFC 9110" +
    ' 4.2.4: no user information.',
  noPath: 'RFC 9112 3.2.1: an empty path is `/`.',
  targetChar:
    'RFC 3986 allows no such byte in a target; browsers escape it, and readers differ in where it ends the ' + 'path.',
  slashes: 'Many URL parsers take what follows two slashes, or a slash and a backslash, for a host.',
  dotSegments:
    'RFC 3986 5.2.4: whoever removes dot segments behind the route would serve another path than the one that ' +
    'was allowed.',
  escapes: '%00 ends the string of many a backend; a bare % is no escape (RFC 3986 2.1).',
  longTarget: 'limits.max_target_size is 8 KiB; RFC 9112 3: longer is 414.',
  host:
    'RFC 9112 3.2: exactly one valid Host. Routes are chosen by it, and a backend might read another name from' +
    ' this one.',
  emptyPort: 'RFC 3986 3.2.3: a port may be empty. Only framegate tells the backend in X-Forwarded-Host too.',
  hostEscape:
    'RFC 3986 allows an escape in a name, and nobody sends one; a route for the name would not match what the ' +
    'backend decodes.',
  noUpgrade: 'framegate relays WebSocket handshakes only; anything else is 426 and reaches no backend.',
  upgradeList:
    'Upgrade is a list of tokens; the backend gets the one that was chosen, and no HTTP2-Settings, so that it ' +
    'cannot choose h2c behind our back.',
  protocol: 'RFC 6455 4.2.1: the protocol is `websocket`, without a version.',
  badMember: 'RFC 9110 7.6.1, 7.8: lists of tokens and of protocols. Another reader may cut a bad member elsewhere.',
  connection:
    'RFC 6455 4.2.1: Connection has the token `upgrade`, or this is no upgrade. nginx sets the field itself, ' +
    'whatever came.',
  oneHop:
    'RFC 9110 7.6.1: Connection is for one hop. A proxy makes its own and removes what this one names; all ' +
    "others here let the client's pass, or the fields that it names.",
  authorization:
    'RFC 9110 7.6.1: Authorization is end-to-end. Removed, it would make an anonymous request; passed on, it ' +
    'would break the nomination.',
  endToEnd: 'RFC 9110 7.6.1: the field is end-to-end, and checks go by it; without it this is another request.',
  socketVersion:
    'RFC 6455 4.4: answered here with the version we speak. A backend that refuses behind a proxy that tunnels' +
    ' already is how requests are smuggled through WebSockets.',
  twice: 'RFC 6455 11.3, RFC 9110 5.3: a field that may stand once. Which of the two the backend believes is open.',
  key: 'RFC 6455 4.2.1: 16 bytes in base64; without them no answer can be a handshake.',
  grammar:
    'RFC 6455 4.1, 9.1, 11.3: tokens, none of them twice; a malformed list is refused here and not left to the' +
    ' backend.',
  nullElements:
    'RFC 6455 4.3, RFC 2616 2.1: null elements count for nothing. The list is made anew for the backend; the ' +
    'others pass it as it is.',
  nothingListed: 'RFC 6455 4.3, RFC 2616 2.1: an empty field offers nothing, so none goes on.',
  commas: 'RFC 2616 2.1: one element at least. The others leave the list to the backend.',
  claim: 'Only a proxy can know this of a client; from a peer that is not trusted it does not go on.',
  extension:
    'An extension that the proxy does not know could change the framing it reads: only permessage-deflate is ' +
    'offered on.',
  noBody: 'No body; the field is not needed and does not go on.',
  body:
    'A handshake has no body (RFC 6455 4.1). Where one reader sees a body and another one frames, a request ' +
    'can hide in it.',
  length: 'RFC 9110 8.6: one decimal number. HAProxy joins equal ones.',
  coding:
    'RFC 9112 6.1: a handshake has no body, so no coding is right here. Whoever reads it otherwise than the ' +
    'next hop finds a request in the rest.',
  codingSpelling:
    'The name is legal and does not go on. The five bytes behind the head are frames, and bad ones: the ' +
    'backend gets our Close instead (29 bytes).',
  expect: 'RFC 9110 10.1.1: there is no body to wait for, so no 100 is sent, and 417 says so.',
  hopByHop: 'RFC 9110 7.6.1: TE, Trailer, Keep-Alive and Proxy-Connection belong to one hop and end here.',
  forwarded:
    'Who is no trusted proxy cannot claim an address: it is replaced by that of the connection, as in a plain ' +
    'upgrade.',
  glued:
    'Bytes behind the head are frames, and these are none: the backend gets our Close (29 bytes) instead of a ' +
    'request to be smuggled.',
  afterRefusal:
    'One connection is one handshake: after a refusal it is closed, and what was glued to it is thrown away.',
} as const;

/** A second request, glued to the first. */
const SECOND = 'GET /second HTTP/1.1\r\nHost: chat.example.com\r\n\r\n';

export const GRAFTS: readonly Graft[] = [
  graft('nothing', plain),
  // Line ends
  graft('LF ends every line', plain.replaceAll('\r\n', '\n'), why.lineFeed),
  graft('LF ends the request line', plain.replace('\r\n', '\n'), why.lineFeed),
  graft('LF ends one field line', fields('X: y\nZ: w'), why.lineFeed),
  graft('LF LF ends the head', plain.replace(/\r\n\r\n$/, '\r\n\n'), why.lineFeed),
  graft('CR CR LF ends a field line', fields('X: y\r'), why.carriageReturn),
  graft('CR alone in a value', fields('X: y\rZ: w')),
  graft('CR before the empty line is no CR LF', `${plain.slice(0, -2)}\rX${SECOND}`),
  graft('CR LF before the request line', `\r\n${plain}`),
  graft('two CR LF before the request line', `\r\n\r\n${plain}`, why.emptyLines),
  graft('LF before the request line', `\n${plain}`, why.emptyLines),
  graft('space before the request line', ` ${plain}`),
  // Bytes in fields
  graft('NUL in a value', fields('X: a\0b'), why.control),
  graft('NUL at the end of a value', fields('X: a\0'), why.control),
  graft('0x01 in a value', fields('X: a\x01b'), why.control),
  graft('0x0B in a value', fields('X: a\x0bb'), why.control),
  graft('0x7F in a value', fields('X: a\x7fb'), why.control),
  graft('0xFF in a value', fields('X: a\xffb')),
  graft('0xA0 around a value', fields('X: \xa0a\xa0')),
  graft('HTAB around and in a value', fields('X:\ta\tb\t'), why.blanks),
  graft('0xFF in Host', instead('Host', 'Host: a\xff'), why.obsText),
  graft(
    '0xA0 behind the version of the protocol',
    instead('Sec-WebSocket-Version', 'Sec-WebSocket-Version: 13\xa0'),
    why.obsText,
  ),
  // Field names
  graft('space before the colon', fields('X : y')),
  graft('HTAB before the colon', fields('X\t: y')),
  graft('0x0B before the colon', fields('X\x0b: y')),
  graft('0xA0 before the colon', fields('X\xa0: y'), why.name),
  graft('no colon', fields('X'), why.colonless),
  graft('no name', fields(': y')),
  graft('colon alone', fields(':')),
  graft('NUL in a name', fields('X\0Y: z')),
  graft('bracket in a name', fields('X[]: z'), why.name),
  graft('slash in a name', fields('X/Y: z'), why.name),
  graft('0xEF in a name', fields('X\xef: z'), why.name),
  graft('underscore in a name', fields('X_Y: z'), why.spelling),
  graft('dot in a name', fields('X.Y: z'), why.spelling),
  graft('apostrophe in a name', fields("X'Y: z"), why.spelling),
  graft('a name of 8000 bytes', fields(`${'a'.repeat(8000)}: y`), why.longName),
  graft('an empty value', fields('X:')),
  graft('a folded line', fields('X: y', ' z'), why.folded),
  graft('a line folded by HTAB', fields('X: y', '\tz'), why.folded),
  graft('a folded first line', plain.replace('\r\n', '\r\n ')),
  graft('101 fields', fields(...Array.from({ length: 96 }, (_, i) => `X-${i}: y`)), why.tooManyFields),
  graft('a value of 12000 bytes', fields(`X: ${'a'.repeat(12_000)}`), why.longValue),
  // Request line
  graft('two spaces before the target', line('GET  /chat HTTP/1.1'), why.requestLine),
  graft('two spaces behind the target', line('GET /chat  HTTP/1.1'), why.requestLine),
  graft('space behind the version', line('GET /chat HTTP/1.1 '), why.requestLine),
  graft('HTAB before the target', line('GET\t/chat HTTP/1.1'), why.requestLine),
  graft('no version', line('GET /chat'), why.oldVersion),
  graft('HTTP/0.9', line('GET /chat HTTP/0.9'), why.oldVersion),
  graft('HTTP/1.0', line('GET /chat HTTP/1.0'), why.oldVersion),
  graft('HTTP/1.2', line('GET /chat HTTP/1.2'), why.version),
  graft('HTTP/2.0', line('GET /chat HTTP/2.0'), why.version),
  graft('HTTP/1.10', line('GET /chat HTTP/1.10'), why.version),
  graft('HTTP/01.1', line('GET /chat HTTP/01.1')),
  graft('http/1.1', line('GET /chat http/1.1')),
  graft('get', line('get /chat HTTP/1.1'), why.method),
  graft('POST', line('POST /chat HTTP/1.1'), why.method),
  graft('HEAD', line('HEAD /chat HTTP/1.1'), why.method),
  graft('OPTIONS', line('OPTIONS /chat HTTP/1.1'), why.method),
  graft('TRACE', line('TRACE /chat HTTP/1.1'), why.method),
  graft('CONNECT', line('CONNECT chat.example.com:80 HTTP/1.1'), why.method),
  graft('an unknown method', line('FETCH /chat HTTP/1.1'), why.method),
  graft('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  // Target
  graft('asterisk', target('*'), why.asterisk),
  graft('no slash', target('chat')),
  graft('authority as target', target('chat.example.com:80')),
  graft('absolute target', target('http://chat.example.com/chat'), why.absolute),
  graft('absolute target of another host', target('http://evil.example/chat'), why.authority),
  graft('absolute target with user information', target('http://user@chat.example.com/chat'), why.authority),
  graft('absolute target, scheme ftp', target('ftp://chat.example.com/chat'), why.authority),
  graft('absolute target without a path', target('http://chat.example.com?a=b'), why.noPath),
  graft('fragment', target('/chat#x'), why.targetChar),
  graft('two slashes', target('//evil.example/chat'), why.slashes),
  graft('backslash', target('/\\evil.example/chat'), why.slashes),
  graft('dot segments', target('/public/../admin'), why.dotSegments),
  graft('escaped dot segments', target('/public/%2e%2e/admin'), why.dotSegments),
  graft('dot segments behind a parameter', target('/public/..;/admin'), why.dotSegments),
  graft('dot segments, twice escaped', target('/public/%252e%252e/admin')),
  graft('escaped slash', target('/a%2fb')),
  graft('escaped NUL', target('/a%00b'), why.escapes),
  graft('percent alone', target('/a%b'), why.escapes),
  graft('percent alone in the query', target('/a?b=%')),
  graft('quote in the query', target('/a?b="c"'), why.targetChar),
  graft('braces in the query', target('/a?b={c}')),
  graft('angle brackets in the path', target('/a<b>'), why.targetChar),
  graft('NUL in the target', target('/a\0b')),
  graft('0x01 in the target', target('/a\x01b')),
  graft('0x7F in the target', target('/a\x7fb'), why.targetChar),
  graft('0xE9 in the target', target('/caf\xe9'), why.targetChar),
  graft('a target of 8193 bytes', target(`/${'a'.repeat(8192)}`), why.longTarget),
  // Host
  graft('no Host', instead('Host'), why.host),
  graft('an empty Host', instead('Host', 'Host:'), why.host),
  graft('Host twice, equal', fields('Host: chat.example.com'), why.host),
  graft('Host twice, other', fields('Host: evil.example'), why.host),
  graft('two hosts in one Host', instead('Host', 'Host: a, b'), why.host),
  graft('Host with user information', instead('Host', 'Host: user@a'), why.host),
  graft('Host with a path', instead('Host', 'Host: a/b'), why.host),
  graft('Host with a port out of range', instead('Host', 'Host: a:99999'), why.host),
  graft('Host with port x', instead('Host', 'Host: a:x'), why.host),
  graft('Host with two ports', instead('Host', 'Host: a:80:80'), why.host),
  graft('Host with an empty port', instead('Host', 'Host: a:'), why.emptyPort),
  graft('Host in open brackets', instead('Host', 'Host: [::1'), why.host),
  graft('Host with a zone', instead('Host', 'Host: [fe80::1%25eth0]'), why.host),
  graft('Host with an escape', instead('Host', 'Host: a%2eb'), why.hostEscape),
  // Upgrade
  graft('no Upgrade', instead('Upgrade'), why.noUpgrade),
  graft('Upgrade: h2c', instead('Upgrade', 'Upgrade: h2c', 'HTTP2-Settings: AAMA'), why.noUpgrade),
  graft(
    'Upgrade: websocket, h2c',
    instead('Upgrade', 'Upgrade: websocket, h2c', 'HTTP2-Settings: AAMA'),
    why.upgradeList,
  ),
  graft('Upgrade on two lines', instead('Upgrade', 'Upgrade: h2c', 'Upgrade: websocket'), why.upgradeList),
  graft('Upgrade: websocket/13', instead('Upgrade', 'Upgrade: websocket/13'), why.protocol),
  graft('Upgrade with a member that is no protocol', instead('Upgrade', 'Upgrade: websocket, a b'), why.badMember),
  graft('no Connection', instead('Connection'), why.connection),
  graft('Connection: close, Upgrade', instead('Connection', 'Connection: close, Upgrade'), why.oneHop),
  graft('Connection: xupgrade', instead('Connection', 'Connection: xupgrade'), why.connection),
  graft('Connection with a member that is no token', instead('Connection', 'Connection: upgrade, a;b'), why.badMember),
  graft('Connection names a field', instead('Connection', 'Connection: Upgrade, X-User', 'X-User: y'), why.oneHop),
  graft(
    'Connection names Authorization',
    instead('Connection', 'Connection: Upgrade, Authorization', 'Authorization: Basic eDp5'),
    why.authorization,
  ),
  graft(
    'Connection names Cookie and Origin',
    instead('Connection', 'Connection: Upgrade, Cookie, Origin', 'Cookie: a=b', 'Origin: https://chat.example.com'),
    why.endToEnd,
  ),
  graft('no version of the protocol', instead('Sec-WebSocket-Version'), why.socketVersion),
  graft('version 8', instead('Sec-WebSocket-Version', 'Sec-WebSocket-Version: 8'), why.socketVersion),
  graft('version 13 twice', fields('Sec-WebSocket-Version: 13'), why.twice),
  graft('no key', instead('Sec-WebSocket-Key'), why.key),
  graft('a key of 15 bytes', instead('Sec-WebSocket-Key', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA'), why.key),
  graft('the key twice', fields(`Sec-WebSocket-Key: ${KEY}`), why.twice),
  graft('the same subprotocol twice', fields('Sec-WebSocket-Protocol: a, a'), why.grammar),
  graft('a subprotocol that is no token', fields('Sec-WebSocket-Protocol: a b'), why.grammar),
  graft('a null element among the subprotocols', fields('Sec-WebSocket-Protocol: a,'), why.nullElements),
  graft('an empty Sec-WebSocket-Protocol', fields('Sec-WebSocket-Protocol:'), why.nothingListed),
  graft('an empty Sec-WebSocket-Extensions', fields('Sec-WebSocket-Extensions:'), why.nothingListed),
  graft('only commas in Sec-WebSocket-Protocol', fields('Sec-WebSocket-Protocol: ,'), why.commas),
  graft('only commas in Sec-WebSocket-Extensions', fields('Sec-WebSocket-Extensions: ,'), why.commas),
  graft('blanks around =', fields('Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits = 15')),
  graft('a malformed extension', fields('Sec-WebSocket-Extensions: ;a'), why.grammar),
  graft('an unknown extension', fields('Sec-WebSocket-Extensions: x-unknown'), why.extension),
  // Body
  graft('Content-Length: 0', fields('Content-Length: 0'), why.noBody),
  graft('Content-Length: 5 and five bytes', `${fields('Content-Length: 5')}hello`, why.body),
  graft('Content-Length: +5', `${fields('Content-Length: +5')}hello`),
  graft('Content-Length: 0x5', `${fields('Content-Length: 0x5')}hello`),
  graft('Content-Length: 05', `${fields('Content-Length: 05')}hello`, why.body),
  graft('Content-Length: 0 twice', fields('Content-Length: 0', 'Content-Length: 0'), why.length),
  graft('Content-Length: 0, 0', fields('Content-Length: 0, 0'), why.length),
  graft('an empty Content-Length', fields('Content-Length:')),
  graft('Transfer-Encoding: chunked', `${fields('Transfer-Encoding: chunked')}0\r\n\r\n`, why.coding),
  graft('Transfer-Encoding: identity', fields('Transfer-Encoding: identity'), why.coding),
  graft('Transfer-Encoding: xchunked', `${fields('Transfer-Encoding: xchunked')}0\r\n\r\n`, why.coding),
  graft('Transfer-Encoding: 0x0B chunked', `${fields('Transfer-Encoding: \x0bchunked')}0\r\n\r\n`),
  graft('Transfer-Encoding: 0xA0 chunked', `${fields('Transfer-Encoding: \xa0chunked')}0\r\n\r\n`, why.coding),
  graft('Transfer-Encoding twice', `${fields('Transfer-Encoding: chunked', 'Transfer-Encoding: identity')}0\r\n\r\n`),
  graft(
    'Transfer-Encoding and Content-Length',
    `${fields('Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n`,
    why.coding,
  ),
  graft('Transfer_Encoding: chunked', `${fields('Transfer_Encoding: chunked')}0\r\n\r\n`, why.codingSpelling),
  graft('Transfer-Encoding with a space before the colon', `${fields('Transfer-Encoding : chunked')}0\r\n\r\n`),
  graft('Expect: 100-continue', fields('Expect: 100-continue'), why.expect),
  graft('TE and Trailer', fields('TE: trailers', 'Trailer: X'), why.hopByHop),
  graft('Proxy-Connection and Keep-Alive', fields('Proxy-Connection: x', 'Keep-Alive: timeout=5'), why.hopByHop),
  graft('X-Forwarded-For of a stranger', fields('X-Forwarded-For: 192.0.2.1'), why.forwarded),
  graft('CF-Connecting-IP of a stranger', fields('CF-Connecting-IP: 192.0.2.1'), why.claim),
  graft('Remote-User of a stranger', fields('Remote-User: root'), why.claim),
  graft('Origin twice', fields('Origin: https://a', 'Origin: https://b'), why.twice),
  graft('Authorization twice', fields('Authorization: Basic eDp5', 'Authorization: Basic YTpi'), why.twice),
  // What stands around the request
  graft('a second request behind the head', plain + SECOND, why.glued),
  graft(
    'a second request behind a version that is not 13',
    instead('Sec-WebSocket-Version', 'Sec-WebSocket-Version: 8') + SECOND,
    why.socketVersion,
  ),
  graft('a second request behind no upgrade', instead('Upgrade') + SECOND, why.afterRefusal),
  graft('a frame behind the head', `${plain}\x81\x80\0\0\0\0`),
  graft('a line of the PROXY protocol', `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${plain}`),
  graft('a TLS hello', '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03'),
  graft('half a head', plain.slice(0, -2)),
];
