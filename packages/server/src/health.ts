/** The truth about every part for /health/ready: what the main thread's parts and the other threads say, one entry per part. */
import { type Health, isFieldlineError, messageOf } from '@fieldline/kit';
import type { Installation } from './installation.ts';
import type { RunningParts } from './run-parts.ts';

/** How long a thread may take to tell its health before it counts as stuck. */
const HEALTH_TIMEOUT_MS = 2000;

/** Asks all at once; an answer that does not come is the part's problem. */
export async function healthOf(of: Installation, parts: RunningParts<Installation>): Promise<Health[]> {
  const threads = await Promise.all([
    inTime('broker', () => of.brokerThread.host.health()),
    inTime('connectors', async () => (await of.connectorThread?.host.health()) ?? []),
    inTime('pipeline', async () => (await of.pipelineThread?.host.health()) ?? []),
    inTime('catalog', async () => {
      await of.catalog.ping();
      return [];
    }),
  ]);
  return onePerPart([...parts.health(), ...threads.flat()]);
}

/** A part and its thread are one for whoever looks: it is ready where both are, and tells both problems. */
export function onePerPart(entries: readonly Health[]): Health[] {
  return [...Map.groupBy(entries, ({ name }) => name)].map(([name, ofPart]) => {
    const problems = new Set(ofPart.flatMap(({ problem }) => problem ?? []));
    return {
      name,
      state: ofPart.find(({ state }) => state !== 'running')?.state ?? 'running',
      ready: ofPart.every(({ ready }) => ready),
      ...(problems.size > 0 && { problem: [...problems].join('; ') }),
    };
  });
}

async function inTime(name: string, ask: () => Promise<Health[]>): Promise<Health[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Health[]>((resolve) => {
    const problem = `did not answer within ${HEALTH_TIMEOUT_MS} ms`;
    timer = setTimeout(() => resolve([{ name, state: 'running', ready: false, problem }]), HEALTH_TIMEOUT_MS);
  });
  try {
    return await Promise.race([ask(), late]);
  } catch (error) {
    const state = isFieldlineError(error, 'STOPPED') ? 'failed' : 'running';
    return [{ name, state, ready: false, problem: messageOf(error) }];
  } finally {
    clearTimeout(timer);
  }
}
