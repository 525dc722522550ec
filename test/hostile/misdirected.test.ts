import { makeCertificates } from '../support/certs.ts';
import { type AcceptedRow, acceptanceTests, type Bytes, refusalTests, requestOf, sharedGate } from './harness.ts';

const certs = await makeCertificates();
const certificates = [{ cert: certs.good.cert, key: certs.good.key }];
const address = '127.0.0.1:0';

/** By the first, which is plain: what it asks for is what a listener without client certificates does. */
const gate = sharedGate((url) => ({
  listeners: [
    { name: 'test', address },
    { name: 'open', address, tls: { certificates } },
    { name: 'closed', address, tls: { certificates, client_auth: 'require', client_ca: certs.ca } },
    { name: 'asking', address, tls: { certificates, client_auth: 'request', client_ca: certs.ca } },
  ],
  routes: [
    { match: { hosts: ['here.test'], path: '/here', listeners: ['test'] }, upstream: url },
    { match: { hosts: ['here.test'], path: '/there', listeners: ['closed'] }, upstream: url },
    { match: { hosts: ['closed.test', '*.closed.test'], path: '/x', listeners: ['closed'] }, upstream: url },
    { match: { hosts: ['asking.test'], listeners: ['asking'] }, upstream: url },
    { match: { hosts: ['open.test'], listeners: ['open'] }, upstream: url },
  ],
}));

const to = (host: string, path: string, ...fields: string[]): Bytes =>
  requestOf({ line: `GET ${path} HTTP/1.1`, omit: ['host'], fields: [`Host: ${host}`, ...fields] });

refusalTests(gate, [
  [
    'P7: a host whose routes are where client certificates are asked for',
    [to('closed.test', '/x'), to('CLOSED.test:443', '/x'), to('closed.test.', '/other'), to('a.b.closed.test', '/x')],
    '421 misdirected',
  ],
  ['P7: the same where they are asked for and may be missing', [to('asking.test', '/')], '421 misdirected'],
  ['P7: a host of a listener that asks for no others', [to('open.test', '/')], '404 no_route'],
  ['P7: a host that this one serves, with a path that it does not', [to('here.test', '/there')], '404 no_route'],
  ['P7: a host of nobody', [to('xclosed.test', '/x'), to('test', '/x')], '404 no_route'],
]);

const passes: AcceptedRow = ['P7: a host of its own', to('here.test', '/here'), { target: '/here', host: 'here.test' }];
acceptanceTests(gate, [passes]);
