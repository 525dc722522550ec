// Tokens that end soon, and the keys of a config that lets them in.

import { hs256, SECRET_TEXT, tokenOf } from '../support/tokens.ts';
import type { GateOptions } from './gate.ts';

/** One method, `users`; a session ends in the second that its token names. */
export function shortLived(place: string): GateOptions {
  const jwt = `{ from: ["${place}"], secret: "${SECRET_TEXT}", algorithms: [HS256], leeway: 0s }`;
  return { config: [`auth: { users: { jwt: ${jwt} } }`], route: ['auth: [users]'] };
}

/** Good for so many seconds, and up to one more. */
export function tokenFor(seconds: number): string {
  const exp = Math.ceil(Date.now() / 1000) + seconds;
  return tokenOf({ header: { alg: 'HS256' }, payload: { sub: 'ada', exp }, sign: hs256 });
}
