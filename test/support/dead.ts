// An address that refuses connections. A port that was bound and given back will not do: another test may get it.

/** tcpmux (RFC 1078): privileged, so that no test gets it, and served by nobody. */
export const deadPort = 1;
export const deadUrl = `ws://127.0.0.1:${deadPort}`;
