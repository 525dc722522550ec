// When the end of a certificate is near: of one from a file, and of one that is renewed by itself.

import { expect, test } from 'vitest';
import type { AcmeCertificate, ListenerCertificate } from '../../src/config/types.ts';
import { certificateReadings, waitedCertificates } from '../../src/control/readings.ts';
import type { Edge } from '../../src/edge/edge.ts';

const DAY_MS = 86_400_000;

function readingsOf(files: readonly ListenerCertificate[], got: readonly ListenerCertificate[]) {
  const acme = got.map((_, position) => ({ position }) as AcmeCertificate); // what tells them apart here
  const live = { current: ({ position }: AcmeCertificate) => got[position] ?? null };
  const listeners = [{ name: 'l', tls: { certificates: files, acme } }];
  // All that is asked of it.
  return [...certificateReadings({ snapshot: { config: { listeners }, live } } as unknown as Edge)];
}

const lasting = (days: number, name = 'a.test') =>
  ({ name, not_before: 0, not_after: days * DAY_MS }) as ListenerCertificate; // the rest is not read

test('the end of one from a file is near in its last 14 days', () => {
  expect(readingsOf([lasting(90)], [])).toMatchObject([{ notAfter: 90 * DAY_MS, soonAt: 76 * DAY_MS }]);
});

test('that of one that is renewed at two thirds is near in its last quarter, 14 days at most', () => {
  expect(readingsOf([], [lasting(90, 'a'), lasting(6, 'b')]).map(({ soonAt }) => soonAt / DAY_MS)).toEqual([76, 4.5]);
});

test('of two with one name the one that ends first counts', () => {
  expect(readingsOf([lasting(90)], [lasting(30)])).toMatchObject([{ notAfter: 30 * DAY_MS }]);
});

test('one that is not got yet is waited for until its next try', () => {
  const waitedOf = (at: number, hasCertificate: boolean) => {
    const live = {
      current: ({ position }: AcmeCertificate) => (position === 0 ? lasting(90) : null),
      renewals: () => [{ name: 'b.test', at }],
    };
    const acme = ['a.test', 'b.test'].map(
      (name, position) => ({ domains: [name], position }) as unknown as AcmeCertificate,
    );
    const snapshot = { live, wallNow: () => DAY_MS, tls: new Map([['l', { hasCertificate }]]) };
    const listener = { name: 'l', tls: { acme } } as unknown as Parameters<typeof waitedCertificates>[1];
    return waitedCertificates({ snapshot } as unknown as Edge, listener);
  };
  expect(waitedOf(DAY_MS, false)).toEqual([{ name: 'b.test', tls_refused: true, next_try: null }]);
  expect(waitedOf(DAY_MS + 1, true)).toEqual([
    { name: 'b.test', tls_refused: false, next_try: '1970-01-02T00:00:00.001Z' },
  ]);
});
