// Owns the asking of one admin listener: whatever is not an answer to go on with becomes a Failure.

import { type AdminReply, type AdminRequest, askAdmin, endpointText } from './client.ts';
import { ExitCode } from './commands.ts';
import { harmless } from './line.ts';
import { type Asked, Failure, type Terminal, TOKEN_VARIABLE } from './place.ts';

type Answered = Extract<AdminReply, { kind: 'answer' }>;

export class Conversation {
  private readonly asked: Asked;
  private readonly ask: NonNullable<Terminal['ask']>;

  constructor(asked: Asked, terminal: Terminal) {
    this.asked = asked;
    this.ask = terminal.ask ?? askAdmin;
  }

  get(path: string, accepted: readonly number[] = []): Promise<Answered> {
    return this.request({ method: 'GET', path }, accepted);
  }

  /** `waits`: what else of a request is not as usual. */
  post(path: string, accepted: readonly number[] = [], waits: Pick<AdminRequest, 'timeoutMs'> = {}): Promise<Answered> {
    return this.request({ method: 'POST', path, ...waits }, accepted);
  }

  async read<T>(path: string, accepted: readonly number[] = []): Promise<T> {
    return parsed<T>((await this.get(path, accepted)).body);
  }

  /** `accepted` are further statuses that are not taken for a refusal. */
  private async request(request: AdminRequest, accepted: readonly number[]): Promise<Answered> {
    const { endpoint, tokenFrom } = this.asked;
    const reply = await this.ask(endpoint, request);
    if (reply.kind === 'silence') {
      const where = endpointText(endpoint);
      throw new Failure(ExitCode.NoAnswer, `no answer from the admin listener on ${where} (${harmless(reply.why)})`);
    }
    if ((reply.status >= 200 && reply.status < 300) || accepted.includes(reply.status)) return reply;
    throw new Failure(ExitCode.Failed, refusalText(reply, tokenFrom));
  }
}

function refusalText({ status, body }: Answered, tokenFrom: string | null): string {
  const isWrong = status === 401 && tokenFrom !== null;
  const hint = status === 401 ? ` (in ${TOKEN_VARIABLE}, or the config's admin.token)` : '';
  try {
    const { message } = parsed<{ readonly message: unknown }>(body);
    if (typeof message === 'string' && isWrong)
      return `refused with 401: the token of ${tokenFrom} is not the right one`;
    if (typeof message === 'string') return `refused with ${status}: ${harmless(message)}${hint}`;
  } catch {
    // Somebody else answers there: the status is all there is to tell.
  }
  return `refused with ${status}; is this an admin listener of framegate?`;
}

/** The other end is this very program: its answers have the shapes of admin/subject.ts; anybody else's do not parse. */
export function parsed<T>(body: string): T {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return value as T;
  } catch {
    // told below
  }
  throw new Failure(ExitCode.Failed, 'the answer is not one of an admin listener of framegate');
}
