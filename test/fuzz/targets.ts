// Every fuzz target, in the order they run in.

import type { FuzzTarget } from './fuzz-target.ts';
import { canary } from './targets/canary.ts';
import { clientHello } from './targets/client-hello.ts';
import { config } from './targets/config.ts';
import { forwarded } from './targets/forwarded.ts';
import { frames } from './targets/frames.ts';
import { lists } from './targets/lists.ts';
import { paths } from './targets/paths.ts';
import { plain } from './targets/plain.ts';
import { proxyHeader } from './targets/proxy-header.ts';
import { requestHead } from './targets/request-head.ts';
import { response } from './targets/response.ts';
import { session } from './targets/session.ts';
import { sockets } from './targets/sockets.ts';
import { utf8 } from './targets/utf8.ts';

export const TARGETS: readonly FuzzTarget[] = [
  proxyHeader,
  clientHello,
  requestHead,
  response,
  lists,
  forwarded,
  paths,
  config,
  frames,
  utf8,
  session,
  sockets,
  plain,
];

/** Runs only by name: it shows that a failure is seen. */
export const CANARIES: readonly FuzzTarget[] = [canary];
