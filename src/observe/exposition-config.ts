// The metrics of the config in use and of the log, as exposition.ts shows them.

import type { Exposition } from './exposition-families.ts';
import type { ProcessMetrics } from './metrics.ts';

export type ConfigReading = Pick<ProcessMetrics, 'configLoadedAt' | 'lastReloadSuccessful' | 'reloads'>;

export function writeConfig(out: Exposition, counted: ConfigReading, linesDropped: number): void {
  const successful = 'Whether the last reload worked; 1 when there was none.';
  out.single('config_last_reload_successful', 'gauge', successful, Number(counted.lastReloadSuccessful));
  const since = 'When the config in use was loaded, in seconds since 1970.';
  out.single('config_last_reload_success_timestamp_seconds', 'gauge', since, counted.configLoadedAt);
  out.family('config_reloads_total', 'counter', 'Reloads by their result: ok or rejected.');
  for (const result of ['ok', 'rejected']) out.sample({ result }, counted.reloads.of(result));
  out.single('log_lines_dropped_total', 'counter', 'Log lines that were to be written and are lost.', linesDropped);
}
