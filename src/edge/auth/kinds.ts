// Which class a kind of method is. A new kind is a file of its own and a row here.

import type { AuthConfig, AuthKind } from '../../config/types.ts';
import { ApiKeyMethod } from './api-key.ts';
import { BasicMethod } from './basic.ts';
import { ForwardMethod } from './forward.ts';
import { IntrospectionMethod } from './introspection.ts';
import { JwtMethod } from './jwt.ts';
import type { AuthMeans, AuthMethod } from './method.ts';

type Makers = {
  readonly [K in AuthKind]?: (config: Extract<AuthConfig, { readonly kind: K }>, means: AuthMeans) => AuthMethod;
};

const KINDS: Makers = {
  api_key: (config, means) => new ApiKeyMethod(config, means),
  jwt: (config, means) => new JwtMethod(config, means),
  forward: (config, means) => new ForwardMethod(config, means),
  introspection: (config, means) => new IntrospectionMethod(config, means),
  basic: (config, means) => new BasicMethod(config, means),
};

export function makeMethod<K extends AuthKind>(
  config: Extract<AuthConfig, { readonly kind: K }>,
  means: AuthMeans,
): AuthMethod {
  const make = KINDS[config.kind as K];
  if (make === undefined) throw new Error(`there is no ${config.kind}`);
  return make(config, means);
}
