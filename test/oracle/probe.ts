// Sends one graft to one subject and puts into words what came of it: the answer, and what its backend saw.

import { setTimeout as delay } from 'node:timers/promises';
import { variantOf } from '../corpus/corpus-case.ts';
import { requestText } from '../protocol/heads.ts';
import { RawClient } from '../support/raw-client.ts';
import { type SeenRequest, SYNC_PATH } from './recording-backend.ts';
import type { Subject } from './subjects.ts';

/**
 * `400`, `101`, `closed`, `silent`; for what reached the backend, behind it: how its request differs from that of a
 * plain upgrade (`+x: y` a field more, `-x: y` one less, the target), and what came behind the head.
 */
export type Verdict = string;

/** What a graft must be given beyond the answers to two whole handshakes that began after it. */
const GRACE_MS = 20;

const SYNC = requestText({ line: `GET ${SYNC_PATH} HTTP/1.1` });
const PLAIN = Buffer.from(requestText({}));

export class Probe {
  private readonly subject: Subject;
  private readonly plainHead: string;

  private constructor(subject: Subject, plainHead: string) {
    this.subject = subject;
    this.plainHead = plainHead;
  }

  static async of(subject: Subject): Promise<Probe> {
    const { seen } = await ask(subject, PLAIN);
    const [first] = seen;
    if (seen.length !== 1 || first === undefined) throw new Error(`${subject.name} does not forward a plain upgrade`);
    return new Probe(subject, first.head);
  }

  async send(bytes: Buffer): Promise<Verdict> {
    const { answer, seen } = await ask(this.subject, bytes);
    return [answer, ...seen.map((request) => this.describe(request))].filter((text) => text !== '').join('; ');
  }

  private describe(request: SeenRequest): string {
    const before = linesOf(this.plainHead);
    const now = linesOf(request.head);
    const words = [
      ...(now.line === before.line ? [] : [printed(now.line.replace(/ HTTP\/1\.1$/, ''))]),
      ...shortened(lacking(now.fields, before.fields).map((field) => `+${field}`)),
      ...shortened(lacking(before.fields, now.fields).map((field) => `-${field}`)),
      ...(request.behind === '' ? [] : [`then ${request.behind.length} bytes`]),
    ];
    return words.length === 0 ? 'as plain' : words.join(', ');
  }
}

async function ask(subject: Subject, bytes: Buffer): Promise<{ answer: string; seen: SeenRequest[] }> {
  const client = await RawClient.connect(subject.port);
  client.send(bytes);
  // A subject has one thread: what began before two whole handshakes has got its answer by then, or waits for more.
  await sync(subject);
  await sync(subject);
  await delay(GRACE_MS);
  const answer = answerOf(client);
  client.destroy();
  return { answer, seen: subject.backend.take() };
}

async function sync(subject: Subject): Promise<void> {
  const client = await RawClient.connect(subject.port);
  client.send(SYNC);
  const { status } = await client.readHead();
  client.destroy();
  if (status !== 101) throw new Error(`${subject.name} answers ${status} to a plain upgrade`);
}

function answerOf(client: RawClient): string {
  const text = client.received.toString('latin1');
  const statuses = [...text.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map((match) => match[1] ?? '');
  if (statuses.length > 0) return statuses.join('+');
  if (text !== '') return 'a body without a head';
  return client.finSeen || client.isClosed ? 'closed' : 'silent';
}

/** Names in lower case; our own random ids are not compared. */
function linesOf(head: string): { line: string; fields: string[] } {
  const [line = '', ...fields] = head.slice(0, -4).split('\r\n');
  const kept = fields.filter((field) => !/^(?:X-Request-ID: [0-9a-f]{32}|Via: 1\.1 [0-9a-f]{16})$/.test(field));
  const normal = kept.map((field) => field.replace(/^[^:]*/, (name) => name.toLowerCase()).replace(/:[ \t]*/, ': '));
  return { line, fields: normal.map(printed) };
}

function printed(text: string): string {
  return variantOf(text).replaceAll('\\x20', ' ').trim();
}

function shortened(words: readonly string[]): readonly string[] {
  return words.length <= 6 ? words : [...words.slice(0, 2), `and ${words.length - 2} more`];
}

/** The fields of `one` that are not among those of `other`, each as often as it is missing. */
function lacking(one: readonly string[], other: readonly string[]): string[] {
  const rest = [...other];
  return one.filter((field) => {
    const at = rest.indexOf(field);
    if (at === -1) return true;
    rest.splice(at, 1);
    return false;
  });
}
