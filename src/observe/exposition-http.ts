// The metrics of requests that are no handshakes, as exposition.ts shows them.

import type { Exposition } from './exposition-families.ts';
import type { ProcessMetrics, RouteMetrics } from './metrics.ts';

export function* writeHttp(
  out: Exposition,
  { httpRequestsOpen }: ProcessMetrics,
  routes: readonly RouteMetrics[],
): Generator<void> {
  out.single('http_requests_open', 'gauge', 'Requests without upgrade that are not answered yet.', httpRequestsOpen);
  out.family('http_requests_total', 'counter', 'Requests without upgrade by the class of their status; none, or cut.');
  for (const { name, http } of routes) {
    for (const [code_class, count] of http.requests.entries()) out.sample({ route: name, code_class }, count);
    yield;
  }
  out.family(
    'http_errors_total',
    'counter',
    'Of those the ones that were refused or cut off, by the error of their line.',
  );
  for (const { name, http } of routes) {
    for (const [error, count] of http.errors.entries()) out.sample({ route: name, error }, count);
    yield;
  }
  out.family(
    'http_request_duration_seconds',
    'histogram',
    'From the first byte of a request to the end of its answer.',
  );
  for (const { name, http } of routes) {
    if (http.duration.count > 0) out.histogram({ route: name }, http.duration);
    yield;
  }
}
