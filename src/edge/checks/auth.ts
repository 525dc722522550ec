// Who the client is, by the methods of its route, and what of its request goes on from there: nothing that any of these
// methods reads.

import { Alarm } from '../../limits/timer-wheel.ts';
import { Abort } from '../../net/abort.ts';
import { clientKeyOf } from '../../protocol/addresses/client-key.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import type { Asked } from '../admission.ts';
import type { AuthChain, ChainAnswer, Judged } from '../auth/chain.ts';
import { FAILURES_KEY } from '../auth/failures.ts';
import type { AuthAsk, AuthVerdict } from '../auth/method.ts';

export function authCheck(asked: Asked): Refusal | null | Promise<Refusal | null> {
  const { auth } = asked.route;
  if (auth === null) return null;
  const { context, signal, arrival, request, route } = asked;
  const startedAt = context.clock.now();
  asked.judgedAt = startedAt;
  const abort = new Abort();
  const ask: AuthAsk = {
    request,
    arrival,
    route: route.config.name,
    clientKey: clientKeyOf(arrival.client) ?? '',
    signal: abort,
    deadline: startedAt + route.config.timeouts.auth,
  };
  const answer = auth.ask(ask);
  if (!(answer instanceof Promise)) return decide(asked, auth, answer, startedAt);
  return new Promise((resolve, reject) => {
    let isOver = false;
    const finish = (): boolean => {
      const isFirst = !isOver;
      isOver = true;
      context.wheel.cancel(alarm);
      signal.removeEventListener('abort', onAbort);
      return isFirst;
    };
    const onAbort = (): void => {
      if (!finish()) return;
      abort.abort();
      resolve(null); // nobody waits for it
    };
    const alarm = new Alarm(() => {
      if (!finish()) return;
      abort.abort();
      resolve(unavailable('timeouts.auth'));
    });
    context.wheel.schedule(alarm, ask.deadline);
    signal.addEventListener('abort', onAbort);
    answer.then(
      (late) => finish() && resolve(decide(asked, auth, late, startedAt)),
      (error: unknown) => finish() && reject(error),
    );
  });
}

function decide(asked: Asked, auth: AuthChain, answer: ChainAnswer, startedAt: number): Refusal | null {
  const { context, record } = asked;
  if (answer === 'absent') {
    for (const { config } of auth.methods) context.metrics.auth(config.name).results.add('absent');
    if (!auth.allowsAnonymous) return auth.unauthorized('absent');
    return asked.takeGrant(null, auth.strippedBy(null));
  }
  if ('several' in answer) {
    record.noteAuth(answer.several.config.name, null);
    return { slug: 'multiple_credentials' };
  }
  const { method } = answer;
  const verdict = unlessRevoked(answer, asked);
  const { name } = method.config;
  const metrics = context.metrics.auth(name);
  metrics.duration.observe((context.clock.now() - startedAt) / 1000);
  metrics.results.add(verdict.kind === 'refused' ? 'bad' : verdict.kind);
  record.noteAuth(name, verdict.kind === 'good' ? verdict.grant.identity : null);
  switch (verdict.kind) {
    case 'good':
      return asked.takeGrant(verdict.grant, auth.strippedBy(answer));
    case 'bad':
      return auth.unauthorized(verdict.cause);
    case 'refused':
      if (verdict.refusal.slug === 'too_many_auth_failures') record.noteLimit(FAILURES_KEY);
      return verdict.refusal;
    case 'unavailable':
      return unavailable(verdict.cause);
  }
}

/** Good by itself, and not by an operator's word. */
function unlessRevoked({ method, verdict }: Judged, { context, judgedAt }: Asked): AuthVerdict {
  if (verdict.kind !== 'good') return verdict;
  const { revocations } = context.snapshot.auth;
  return revocations.refuses(verdict.grant, method.config, judgedAt) ? { kind: 'bad', cause: 'revoked' } : verdict;
}

function unavailable(cause: string): Refusal {
  return { slug: 'auth_unavailable', cause };
}
