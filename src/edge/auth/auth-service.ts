// A service that decides about credentials, as one method asks it: so many questions at a time, of one address a
// quarter of them, and none for a while when there were no answers.

import type { ServiceUrl, TlsConfig } from '../../config/types.ts';
import { Circuit, Turn } from '../../limits/circuit.ts';
import { type ServiceAnswer, type ServiceAsk, ServiceError } from '../../services/service-client.ts';
import type { AuthAsk, AuthMeans, RecheckRules } from './method.ts';

interface ServiceSettings {
  /** Of the method. */
  readonly name: string;
  readonly url: ServiceUrl;
  readonly tls: TlsConfig | null;
  readonly timeout: number;
  readonly max_in_flight: number;
}

type Sent = Pick<ServiceAsk, 'method' | 'headers' | 'body' | 'bodyBytesMax'>;
/** For whom it is asked. */
type Asker = Pick<AuthAsk, 'clientKey' | 'signal'>;

/** `cause`: why there is none, without a byte of a peer. */
type Asking = { readonly answer: ServiceAnswer } | { readonly cause: string };

/** RFC 9110 15.6: who stands in front of the service has no answer of it. */
const NO_ANSWER: ReadonlySet<number> = new Set([502, 503, 504]);
const SHARE = 4;

export class AuthService {
  private readonly settings: ServiceSettings;
  private readonly means: AuthMeans;
  private readonly circuit = new Circuit();
  private inFlight = 0;
  /** Of each address that has some; at most `max_in_flight` entries. */
  private readonly byClient = new Map<string, number>();

  constructor(settings: ServiceSettings, means: AuthMeans) {
    this.settings = settings;
    this.means = means;
  }

  /** Never rejects but for a fault of ours. */
  async ask({ clientKey, signal }: Asker, sent: Sent): Promise<Asking> {
    const { settings, means } = this;
    if (!this.hasRoom(clientKey)) return this.without('max_in_flight');
    const turn = this.circuit.begin(means.clock.now());
    if (turn === Turn.No) return this.without('circuit');
    this.count(clientKey, 1);
    try {
      const { url, tls, timeout: timeoutMs } = settings;
      const answer = await means.services.ask({ ...sent, url, tls, timeoutMs, sharesConnections: true, signal });
      if (!NO_ANSWER.has(answer.status)) this.circuit.succeeded();
      else this.circuit.failed(turn, means.clock.now());
      return { answer };
    } catch (error) {
      if (!(error instanceof ServiceError)) {
        this.circuit.gaveUp(turn);
        throw error;
      }
      if (error.isAborted) this.circuit.gaveUp(turn);
      else this.circuit.failed(turn, means.clock.now());
      return error.isAborted ? { cause: 'aborted' } : this.without(error.message);
    } finally {
      this.count(clientKey, -1);
    }
  }

  /** Its answer was none, for this cause. */
  without(cause: string): { readonly cause: string } {
    this.means.unavailable(this.settings.name, cause);
    return { cause };
  }

  private hasRoom(client: string): boolean {
    const { max_in_flight: most } = this.settings;
    if (this.inFlight >= most) return false;
    return client === '' || (this.byClient.get(client) ?? 0) < Math.max(1, Math.floor(most / SHARE));
  }

  private count(client: string, by: 1 | -1): void {
    this.inFlight += by;
    if (client === '') return;
    const left = (this.byClient.get(client) ?? 0) + by;
    if (left === 0) this.byClient.delete(client);
    else this.byClient.set(client, left);
  }
}

interface RecheckSettings {
  /** Infinity: off. */
  readonly recheck: number;
  readonly max_in_flight: number;
  readonly bind: boolean;
}

/** Sessions that do not end with their credential are not asked about; handshakes have most of the questions. */
export function rechecksOf({ recheck, max_in_flight: most, bind }: RecheckSettings): RecheckRules | null {
  if (!bind || recheck === Number.POSITIVE_INFINITY) return null;
  return { everyMs: recheck, atOnce: Math.max(1, Math.floor(most / SHARE)) };
}
