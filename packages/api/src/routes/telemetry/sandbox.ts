/** Which store a question goes to: the live one, or the sandbox of a replay that the caller's organization has made. */
import type { ScopedCatalog } from '@fieldline/catalog';
import type { ApiDependencies, Telemetry } from '../../dependencies.ts';
import { found } from '../../text.ts';
import { isSandboxReplay } from '../replays/replay-job.ts';

export async function telemetryOf(
  { telemetry, sandboxes }: ApiDependencies,
  catalog: ScopedCatalog,
  jobId: string | undefined,
): Promise<Telemetry> {
  if (jobId === undefined) return telemetry;
  const job = await catalog.jobs.get(jobId);
  found(job !== null && isSandboxReplay(job) ? job : null, 'sandbox', jobId);
  return sandboxes.telemetryOf(jobId);
}
