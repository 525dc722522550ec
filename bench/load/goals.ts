// What framegate wants to show: its CPU time per round trip divided by a peer's, at most this, in the same run.

export interface Goal {
  readonly cell: string;
  readonly peer: string;
  readonly atMost: number;
  readonly aim?: number;
}

export const GOALS: readonly Goal[] = [
  { cell: '100x64Bx1', peer: 'nginx', atMost: 1.55, aim: 1.4 },
  { cell: '100x64Bx1', peer: 'haproxy', atMost: 1.35, aim: 1.2 },
  { cell: '100x64Bx1', peer: 'net-pipe', atMost: 0.87 },
  { cell: '100x64Bx1', peer: 'http-proxy-3', atMost: 0.87 },
  { cell: '100x64Bx1', peer: 'ws-pair', atMost: 0.7 },
  { cell: '1000x64Bx1', peer: 'nginx', atMost: 1.55 },
  { cell: '1000x64Bx1', peer: 'haproxy', atMost: 1.45 },
  { cell: '1000x64Bx1', peer: 'net-pipe', atMost: 0.9 },
  { cell: '1000x64Bx1', peer: 'http-proxy-3', atMost: 0.9 },
  { cell: '1000x64Bx1', peer: 'ws-pair', atMost: 0.75 },
  { cell: '100x64Bx16', peer: 'nginx', atMost: 1.5, aim: 1.1 },
  { cell: '100x64Bx16', peer: 'haproxy', atMost: 1.3 },
  { cell: '100x64Bx16', peer: 'net-pipe', atMost: 0.95 },
  { cell: '100x64Bx16', peer: 'http-proxy-3', atMost: 0.95 },
  { cell: '100x64Bx16', peer: 'ws-pair', atMost: 0.1 },
  { cell: '50x16KiBx1', peer: 'nginx', atMost: 0.35 },
  { cell: '50x16KiBx1', peer: 'nginx-64k', atMost: 1.2 },
  { cell: '50x16KiBx1', peer: 'haproxy', atMost: 0.6 },
  { cell: '50x16KiBx1', peer: 'net-pipe', atMost: 0.55 },
  { cell: '50x16KiBx1', peer: 'http-proxy-3', atMost: 0.55 },
  { cell: '50x16KiBx1', peer: 'ws-pair', atMost: 0.3 },
  { cell: '20x256KiBx1', peer: 'nginx', atMost: 0.25 },
  { cell: '20x256KiBx1', peer: 'nginx-64k', atMost: 1.1 },
  { cell: '20x256KiBx1', peer: 'haproxy', atMost: 0.75 },
  { cell: '20x256KiBx1', peer: 'net-pipe', atMost: 0.6 },
  { cell: '20x256KiBx1', peer: 'http-proxy-3', atMost: 0.6 },
  { cell: '20x256KiBx1', peer: 'ws-pair', atMost: 0.2 },
  { cell: 'wss:100x64Bx1', peer: 'nginx', atMost: 1.25 },
  { cell: 'wss:100x64Bx1', peer: 'haproxy', atMost: 1.1 },
  { cell: 'wss:50x16KiBx1', peer: 'nginx', atMost: 0.8 },
];

/** Handshakes per CPU second of framegate, divided by nginx's. */
export const HANDSHAKE_GOALS = [
  { kind: 'plain', peer: 'nginx', atLeast: 0.4, aim: 0.5 },
  { kind: 'full', peer: 'nginx', atLeast: 0.4 },
  { kind: 'resumed', peer: 'nginx', atLeast: 0.35 },
] as const;

/** CPU of a plain request, divided by that of the least that Node can do. */
export const PLAIN_GOAL = { peer: 'http-pipe', atMost: 1.2 } as const;

/** p99 of sessions beside plain requests, divided by that without. */
export const BESIDE_GOAL = { atMost: 1.2 } as const;

/** Of clients that come back at once, and of those who stayed: above quiet. */
export const STORM_GOAL = { resumedMin: 0.95, turnMs: 30, p99Ms: 30 } as const;

/** p99 of the light session beside a flood, divided by HAProxy's. */
export const FAIRNESS_GOAL = { peer: 'haproxy', atMost: 2 } as const;

/** Bytes of PSS that an idle session may hold. */
export const MEMORY_GOAL = { atMost: 9 * 1024, aim: 6 * 1024 } as const;

export function goalOf(cell: string, peer: string): Goal | null {
  return GOALS.find((goal) => goal.cell === cell && goal.peer === peer) ?? null;
}
