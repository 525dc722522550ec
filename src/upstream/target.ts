// One backend address of an upstream: what is configured, and what is counted. It dials nothing and decides nothing;
// whoever opens a session to it takes a slot and gives it back exactly once.

import assert from 'node:assert/strict';
import type { Endpoint, TargetConfig, UpstreamConfig } from '../config/types.ts';
import { DialRecord } from './dial-record.ts';

const PORT_PLAIN = 80;
const PORT_SECURE = 443;

export class Target {
  readonly name: string;
  readonly endpoint: Endpoint;
  /** As the config has it, for people: `***` when it came from a file. */
  url: string;
  weight: number;
  /** Infinity for no limit. */
  sessionsMax: number;
  /** Slots taken: open sessions and handshakes that dial this target now. None is taken at `sessionsMax`. */
  sessions = 0;
  /** It takes no new sessions until it is undrained. */
  draining = false;
  /** Slots ever taken. */
  sessionsTotal = 0;
  readonly dials = new DialRecord();
  private host: UpstreamConfig['host'];
  /** What the backend calls itself: the host of its URL. */
  private readonly authority: string;

  constructor(config: TargetConfig, host: UpstreamConfig['host']) {
    this.name = config.name;
    this.endpoint = config.endpoint;
    this.url = config.url;
    this.weight = config.weight;
    this.sessionsMax = config.max_sessions;
    this.host = host;
    this.authority = authorityOf(config.endpoint);
  }

  get hasRoom(): boolean {
    return this.sessions < this.sessionsMax && !this.draining;
  }

  /** A new config of the same name and endpoint: what is counted stays. */
  reconfigure(config: TargetConfig, host: UpstreamConfig['host']): void {
    this.url = config.url;
    this.weight = config.weight;
    this.sessionsMax = config.max_sessions;
    this.host = host;
  }

  /** As far as is known new sessions may go to it. */
  isUp(now: number): boolean {
    return !this.draining && !this.dials.isDown(now);
  }

  acquire(): void {
    assert(this.hasRoom, 'a full target is not picked');
    this.sessions += 1;
    this.sessionsTotal += 1;
  }

  release(): void {
    assert(this.sessions > 0, 'a slot is given back once');
    this.sessions -= 1;
  }

  /** The Host field of requests to this target; `clientHost` is the client's, as sent. */
  hostField(clientHost: string): string {
    if (this.host === 'client') return clientHost;
    return this.host === 'target' ? this.authority : this.host.literal;
  }
}

/** RFC 9110 7.2: host and port of the URL, the scheme's own port left out. */
function authorityOf(endpoint: Endpoint): string {
  // A unix socket and the echo backend have no name; nginx sends this too.
  if (endpoint.kind !== 'tcp') return 'localhost';
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return endpoint.port === (endpoint.secure ? PORT_SECURE : PORT_PLAIN) ? host : `${host}:${endpoint.port}`;
}
