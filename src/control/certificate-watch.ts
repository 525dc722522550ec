// Tells in the log which certificates of listeners end soon or have ended: when they are taken on, and once a day from
// then on. It ends nothing: a certificate that has ended is still shown to clients, who are to judge it.

import type { Edge } from '../edge/edge.ts';
import { Alarm } from '../limits/timer-wheel.ts';
import { certificateReadings } from './readings.ts';

const DAY_MS = 86_400_000;

export class CertificateWatch {
  private readonly edge: Edge;
  private readonly alarm = new Alarm(() => this.look());

  constructor(edge: Edge) {
    this.edge = edge;
  }

  /** Look at those of the config in force, now and each day. */
  look(): void {
    const { edge } = this;
    edge.wheel.schedule(this.alarm, edge.clock.now() + DAY_MS);
    this.lookForNone();
    const now = edge.snapshot.wallNow();
    for (const { listener, name, notAfter, soonAt } of certificateReadings(edge)) {
      if (soonAt >= now) continue;
      edge.log.event('warn', 'certificate.expiring', {
        listener,
        name,
        not_after: new Date(notAfter).toISOString(),
        days: Math.floor((notAfter - now) / DAY_MS),
      });
    }
  }

  /** Clients are refused there until the first one was got. */
  private lookForNone(): void {
    const { log, snapshot } = this.edge;
    for (const [listener, { hasCertificate, config }] of snapshot.tls) {
      if (hasCertificate) continue;
      const domains = config.acme.flatMap((one) => one.domains);
      log.event('warn', 'acme.waiting', {
        listener,
        domains,
        why: 'no certificate yet: TLS is refused until one is got',
      });
    }
  }
}
