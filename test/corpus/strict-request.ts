// A second reading of a whole upgrade request, strict and slow, by the words of RFC 9112, 9110, 3986 and 6455 alone. It
// imports nothing of src/. What framegate accepts must pass here; what only framegate refuses, it refuses by choice.

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const OWS = '[ \\t]*';
const FIELD_LINE = new RegExp(`^(${TOKEN}):${OWS}([\\t\\x20-\\x7e\\x80-\\xff]*?)${OWS}$`);
const PROTOCOL_NAME = new RegExp(`^${TOKEN}(?:/${TOKEN})?$`);
const ONE_TOKEN = new RegExp(`^${TOKEN}$`);
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\t \\x21-\\x7e])*"';
const PARAM = new RegExp(`^(${TOKEN})(?:${OWS}=${OWS}(${TOKEN}|${QUOTED}))?$`);

/** What browsers send besides RFC 3986's characters (WHATWG URL): accepted on purpose. */
const PATH = /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@/|^[\]-]|%[0-9A-Fa-f]{2})*$/;
const QUERY = /^[!$-;=?-~]*$/;
const PORT = /^[0-9]*$/;
const REG_NAME = /^(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$/;

/** null when the bytes begin with a valid upgrade request; else the first thing that is wrong with it. */
export function strictFault(bytes: Buffer): string | null {
  const all = bytes.toString('latin1').replace(/^\r\n/, '');
  const end = all.indexOf('\r\n\r\n');
  if (end === -1) return 'not complete';
  const [requestLine = '', ...lines] = all.slice(0, end).split('\r\n');
  if (lines.length === 0) return 'no fields';
  const fields: (readonly [name: string, value: string])[] = [];
  for (const line of lines) {
    const match = FIELD_LINE.exec(line);
    if (match === null) return `no field line: ${JSON.stringify(line.slice(0, 60))}`;
    fields.push([(match[1] ?? '').toLowerCase(), match[2] ?? '']);
  }
  const valuesOf = (name: string) => fields.filter(([lower]) => lower === name).map(([, value]) => value);
  return requestLineFault(requestLine, valuesOf('host')) ?? upgradeFault(valuesOf) ?? framingFault(valuesOf);
}

type ValuesOf = (name: string) => string[];

function requestLineFault(line: string, hosts: readonly string[]): string | null {
  const match = /^GET ([\x21-\x7e]+) HTTP\/1\.1$/.exec(line);
  if (match === null) return 'request line';
  const [host = ''] = hosts;
  if (hosts.length !== 1 || !isAuthority(host) || host === '') return 'Host';
  const target = match[1] ?? '';
  const absolute = /^(?:https?|wss?):\/\/([^/?#]+)(.*)$/i.exec(target);
  if (absolute !== null && !isAuthority(absolute[1] ?? '')) return 'authority';
  const rest = absolute === null ? target : (absolute[2] ?? '').replace(/^(?!\/)/, '/');
  const [path = '', ...query] = rest.split('?');
  return PATH.test(path) && QUERY.test(query.join('?')) ? null : 'target';
}

/** RFC 3986 3.2.2 and 3.2.3; RFC 9110 4.2.4: no user information. */
function isAuthority(text: string): boolean {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]*)(?::(.*))?$/s.exec(text);
  if (match === null) return false;
  const [, name = '', port = ''] = match;
  return (name.startsWith('[') || REG_NAME.test(name)) && PORT.test(port) && Number(port) <= 65_535;
}

function upgradeFault(valuesOf: ValuesOf): string | null {
  const upgrades = listOf(valuesOf('upgrade'));
  if (!upgrades.every((one) => PROTOCOL_NAME.test(one))) return 'Upgrade is no list of protocols';
  if (!upgrades.some((one) => one.toLowerCase() === 'websocket')) return 'Upgrade without websocket';
  const options = listOf(valuesOf('connection'));
  if (!options.every((one) => ONE_TOKEN.test(one))) return 'Connection is no list of tokens';
  if (!options.some((one) => one.toLowerCase() === 'upgrade')) return 'Connection without upgrade';
  const keys = valuesOf('sec-websocket-key');
  if (keys.length !== 1 || !/^[A-Za-z0-9+/]{22}==$/.test(keys[0] ?? '')) return 'Sec-WebSocket-Key';
  if (valuesOf('sec-websocket-version').join() !== '13') return 'Sec-WebSocket-Version';
  if (valuesOf('origin').length > 1) return 'Origin twice';
  const protocols = listOf(valuesOf('sec-websocket-protocol'));
  if (protocols.length === 0 && valuesOf('sec-websocket-protocol').some((value) => value !== '')) {
    return 'commas alone';
  }
  if (!protocols.every((one) => ONE_TOKEN.test(one))) return 'Sec-WebSocket-Protocol';
  if (new Set(protocols).size < protocols.length) return 'Sec-WebSocket-Protocol with equals';
  const parts = valuesOf('sec-websocket-extensions').flatMap((value) => splitOutsideQuotes(value, ','));
  const extensions = parts.filter((one) => one !== '');
  if (extensions.length === 0 && valuesOf('sec-websocket-extensions').some((value) => value !== '')) {
    return 'commas alone';
  }
  return extensions.every(isExtension) ? null : 'Sec-WebSocket-Extensions';
}

function framingFault(valuesOf: ValuesOf): string | null {
  if (valuesOf('transfer-encoding').length > 0) return 'Transfer-Encoding';
  const lengths = valuesOf('content-length');
  // RFC 6455 4.1: a handshake has no body.
  return lengths.length === 0 || lengths.join() === '0' ? null : 'Content-Length';
}

/** RFC 9110 5.6.1.2, RFC 2616 2.1: empty elements do not count. */
function listOf(values: readonly string[]): string[] {
  return values.flatMap((value) => elements(value)).filter((one) => one !== '');
}

function elements(value: string): string[] {
  return value.split(',').map((one) => one.replace(/^[ \t]+|[ \t]+$/g, ''));
}

/** RFC 6455 9.1; the blanks around ";" and "," as RFC 2616's lists allow them. */
function isExtension(text: string): boolean {
  const [name = '', ...params] = splitOutsideQuotes(text, ';');
  return ONE_TOKEN.test(name) && params.every(isParam);
}

function isParam(text: string): boolean {
  const match = PARAM.exec(text);
  if (match === null) return false;
  const value = match[2] ?? 'x';
  return !value.startsWith('"') || ONE_TOKEN.test(value.slice(1, -1).replace(/\\(.)/g, '$1'));
}

/** Cut at a separator that stands in no quoted string; blanks around the parts go. */
function splitOutsideQuotes(text: string, separator: string): string[] {
  const pieces = text.match(new RegExp(`"(?:[^"\\\\]|\\\\.)*"?|${separator}|[^"${separator}]+`, 'gs')) ?? [];
  const parts = [''];
  for (const piece of pieces) {
    if (piece === separator) parts.push('');
    else parts[parts.length - 1] += piece;
  }
  return parts.map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ''));
}
