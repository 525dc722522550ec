// Which class a kind of method is. A new kind is a file of its own and a row here.

import type { AuthConfig, AuthKind } from '../../config/types.ts';
import { ApiKeyMethod } from './api-key.ts';
import { BasicMethod } from './basic.ts';
import { CertificateMethod } from './certificate.ts';
import { ForwardMethod } from './forward.ts';
import { HmacMethod } from './hmac.ts';
import { IntrospectionMethod } from './introspection.ts';
import { JwtMethod } from './jwt.ts';
import type { AuthMeans, AuthMethod } from './method.ts';

/** What a method is made for besides its config. */
interface Around {
  /** What it replaces under its name. */
  readonly before: AuthMethod | undefined;
  /** Digests of those whose client certificates listeners take. */
  readonly authorities: ReadonlySet<string>;
}

type Makers = {
  readonly [K in AuthKind]?: (
    config: Extract<AuthConfig, { readonly kind: K }>,
    means: AuthMeans,
    around: Around,
  ) => AuthMethod;
};

const KINDS: Makers = {
  api_key: (config, means) => new ApiKeyMethod(config, means),
  hmac: (config, means, { before }) => new HmacMethod(config, means, before),
  jwt: (config, means) => new JwtMethod(config, means),
  certificate: (config, means, { authorities }) => new CertificateMethod(config, means, authorities),
  forward: (config, means) => new ForwardMethod(config, means),
  introspection: (config, means) => new IntrospectionMethod(config, means),
  basic: (config, means) => new BasicMethod(config, means),
};

export function makeMethod<K extends AuthKind>(
  config: Extract<AuthConfig, { readonly kind: K }>,
  means: AuthMeans,
  around: Around,
): AuthMethod {
  const make = KINDS[config.kind as K];
  if (make === undefined) throw new Error(`there is no ${config.kind}`);
  return make(config, means, around);
}
