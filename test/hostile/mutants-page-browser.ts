// The mutants of G30 to G34: the page in a real browser.

import type { Mutant } from './mutants.ts';

export const PAGE_BROWSER_MUTANTS: readonly Mutant[] = [
  { row: 'G30', at: 'say', search: 'element.textContent = text', replace: 'element.innerHTML = text' },
  { row: 'G31', at: 'HEADERS', search: "frame-ancestors 'none'; ", replace: '' },
  { row: 'G32', at: 'HEADERS', search: "default-src 'self'", replace: "default-src 'self' 'unsafe-inline'" },
  { row: 'G32', at: 'HEADERS', search: "default-src 'self'", replace: 'default-src *' },
  {
    row: 'G33',
    at: 'AdminServer.judgeSender',
    search: 'if (!isCrossSite(request.headers)) return null;',
    replace: 'if (!isCrossSite(request.headers) || request.method !== "HEAD") return null;',
  },
  {
    row: 'G34',
    at: 'Api.useToken',
    search: 'this.token = token;',
    replace: "this.token = token; Reflect.get(globalThis, 'sessionStorage').setItem('token', String(token));",
  },
];
