// The checks that may be switched off for devices that nobody can mend, and whose messages each of them judges. It
// switches nothing off: whoever judges is told which.

/** Of a client's request; for one route. */
export const ROUTE_CHECKS = ['connection_token', 'key'] as const;
/** Of a backend's 101; for one upstream. */
export const UPSTREAM_CHECKS = ['accept', 'bare_lf'] as const;

export type RouteCheck = (typeof ROUTE_CHECKS)[number];
export type UpstreamCheck = (typeof UPSTREAM_CHECKS)[number];
export type RelaxedCheck = RouteCheck | UpstreamCheck;
