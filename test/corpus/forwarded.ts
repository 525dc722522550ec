// The request that goes on to a backend for an accepted one: one head and nothing more, which a strict reading accepts.

import { buildBackendRequest } from '../../src/protocol/backend-request.ts';
import { RequestHeadParser } from '../../src/protocol/http-head.ts';
import { judgeUpgradeRequest } from '../../src/protocol/upgrade-request.ts';
import { LIMITS } from '../protocol/heads.ts';
import { strictFault } from '../reference/request.ts';

/** null, or what is wrong with it. Both a stranger's request and that of a trusted proxy are built. */
export function forwardedFault(bytes: Buffer): string | null {
  return [false, true].map((trusted) => faultOf(bytes, trusted)).find((fault) => fault !== null) ?? null;
}

function faultOf(bytes: Buffer, peerTrusted: boolean): string | null {
  const parser = new RequestHeadParser(LIMITS);
  parser.feed(bytes, 0, bytes.length);
  const verdict = parser.head === null ? null : judgeUpgradeRequest(parser.head);
  if (verdict === null || !verdict.ok) return 'not accepted';
  const { request } = verdict;
  const forwarded = buildBackendRequest({
    request,
    target: `${request.path}${request.query}`,
    hostField: request.host,
    protocols: request.protocols,
    extensions: request.deflateOffers,
    clientAddress: '192.0.2.1',
    peerAddress: '192.0.2.1',
    peerTrusted,
    proto: 'http',
    source: 'x-forwarded-for',
    sendForwarded: false,
    listenerPort: 80,
    requestId: 'id',
    sessionId: null,
    instanceId: 'instance',
    key: request.key,
    changes: null,
    hiddenCookie: null,
  });
  const text = forwarded.toString('latin1');
  if (text.indexOf('\r\n\r\n') !== text.length - 4) return 'not exactly one head';
  const foreign = text
    .split('\r\n')
    .slice(1, -2)
    .find((line) => !/^[A-Za-z0-9-]+:/.test(line));
  if (foreign !== undefined) return `a name that may not pass: ${foreign.slice(0, 60)}`;
  return strictFault(forwarded);
}
