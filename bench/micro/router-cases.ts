// The router with 1, 100 and 1000 routes: half of them hosts of their own, half of them paths, asked for all in turn.

import { loadObject } from '../../src/config/load.ts';
import { Router } from '../../src/edge/router.ts';
import type { MicroCase } from './micro-case.ts';

const COUNTS = [1, 100, 1000];
const LISTENER = 'public';
const LOOKUPS = 1_000;

interface Request {
  readonly host: string;
  readonly path: string;
  readonly route: string;
}

export function cases(): readonly MicroCase[] {
  return COUNTS.map((count) => {
    const requests = Array.from({ length: count }, (_, i) => requestOf(i));
    const router = routerFor(requests);
    const run = () => matchAll(router, requests);
    const name = `router: ${count} ${count === 1 ? 'route' : 'routes'}`;
    return { name, unit: 'request', operations: LOOKUPS, bytes: 0, run, expected: LOOKUPS };
  });
}

function requestOf(i: number): Request {
  const route = `route-${i}`;
  if (i % 2 === 0) return { host: `tenant${i}.example.com`, path: '/chat/room', route };
  return { host: 'example.com', path: `/team/${i}/events/today`, route };
}

function routerFor(requests: readonly Request[]): Router {
  const routes = requests.map(({ host, path, route }) => {
    const pattern = path.startsWith('/team') ? path.replace(/today$/, '*') : path;
    return { name: route, match: { hosts: [host], path: pattern }, upstream: 'ws://127.0.0.1:9' };
  });
  const { config } = loadObject({ listeners: [{ name: LISTENER }], routes }, { baseDir: '.' });
  return new Router(config.routes, [LISTENER]);
}

function matchAll(router: Router, requests: readonly Request[]): number {
  let right = 0;
  for (let i = 0; i < LOOKUPS; i++) {
    const request = requests[(i * 7919) % requests.length];
    if (request === undefined) return -1;
    if (router.match(request.host, request.path, LISTENER)?.route.name === request.route) right += 1;
  }
  return right;
}
