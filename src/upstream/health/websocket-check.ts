// The check of type websocket: a real upgrade, judged as that of a session; a ping and its pong, a message where one is
// wanted, Close 1000 and its answer.

import { randomBytes } from 'node:crypto';
import type { Transport } from '../../net/transport.ts';
import { FieldWriter } from '../../protocol/field-writer.ts';
import { exchange, type Switched } from '../backend-handshake.ts';
import { type Check, CheckError, type CheckSettings, type CheckTask } from './check.ts';
import { askedFields, askedHost, askedPath } from './request.ts';
import { Talk } from './talk.ts';

/** RFC 6455 4.1: a nonce of 16 bytes. */
const KEY_BYTES = 16;

export const websocketCheck: Check = async (task, settings, transport) => {
  const { clock, wheel, deadline, signal } = task;
  const { deflate, leftover, protocol } = await upgrade(task, settings, transport);
  const talk = new Talk({ transport, wheel, clock, deadline, signal, deflate, leftover });
  if (settings.expect !== undefined) talk.listenFor(settings.expect);
  talk.begin();
  if (settings.subprotocol !== undefined && protocol !== settings.subprotocol) {
    const { left } = await talk.close();
    throw new CheckError('subprotocol', protocol === null ? 'none was chosen' : 'another one was chosen', left);
  }
  await talk.ping();
  if (settings.send !== undefined) talk.send(settings.send);
  if (settings.expect !== undefined) await talk.heard();
  return talk.close();
};

async function upgrade(task: CheckTask, settings: CheckSettings, transport: Transport): Promise<Switched> {
  const { wheel, deadline, signal, host } = task;
  const key = randomBytes(KEY_BYTES).toString('base64');
  const protocols = settings.subprotocol === undefined ? [] : [settings.subprotocol];
  const answer = await exchange({
    transport,
    wheel,
    request: upgradeRequest({
      path: askedPath(task, settings),
      host: askedHost(task, settings),
      fields: askedFields(settings),
      key,
      protocols,
      extensions: [],
    }),
    key,
    protocols,
    extensions: [],
    deadline,
    signal,
    headBytesMax: host.config.max_head_size,
    relax: host.config.relax,
    progress: { refusal: null },
  });
  if (answer.kind === 'switched') return answer;
  if (answer.kind === 'refused') throw new CheckError('status', `${answer.status}`);
  throw new CheckError(answer.error, answer.cause);
}

interface UpgradeAsk {
  readonly path: string;
  readonly host: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly key: string;
  readonly protocols: readonly string[];
  readonly extensions: readonly string[];
}

/** RFC 6455 4.1, of a client that speaks for itself. */
export function upgradeRequest({ path, host, fields, key, protocols, extensions }: UpgradeAsk): Buffer {
  const writer = new FieldWriter(`GET ${FieldWriter.visible(path)} HTTP/1.1`);
  writer.own('Host', host);
  for (const [name, value] of fields) writer.own(name, value);
  writer.own('Upgrade', 'websocket');
  writer.own('Connection', 'Upgrade');
  writer.own('Sec-WebSocket-Key', key);
  writer.own('Sec-WebSocket-Version', '13');
  if (protocols.length > 0) writer.own('Sec-WebSocket-Protocol', protocols.join(', '));
  if (extensions.length > 0) writer.own('Sec-WebSocket-Extensions', extensions.join(', '));
  return writer.finish();
}
