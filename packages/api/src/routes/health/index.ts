/** Liveness, readiness with the truth of each part, Prometheus metrics. */
import { type Health, messageOf, renderMetrics } from '@fieldline/kit';
import type { ApiContext, GroupHandlers } from '../../handlers.ts';

const CATALOG_ANSWER_MS_MAX = 2_000;

export function healthHandlers(context: ApiContext): GroupHandlers<'health'> {
  return {
    live: async () => ({ status: 'live' }),

    ready: async ({ reply }) => {
      const parts = await partsOf(context);
      const notReady = parts.filter(({ ready }) => !ready).map(({ name }) => name);
      const status = notReady.length === 0 ? 'ready' : 'not ready';
      if (status === 'not ready') reply.code(503);
      reply.header('cache-control', 'no-store');
      return { status, notReady, parts };
    },

    metrics: async ({ reply }) => {
      const snapshots = await context.metricsSnapshots();
      reply.type('text/plain; version=0.0.4; charset=utf-8');
      return renderMetrics(snapshots);
    },
  };
}

/** What every part says of itself, and whether the catalog answers a question right now. */
async function partsOf(context: ApiContext): Promise<Health[]> {
  const [parts, catalog] = await Promise.all([context.health().catch(unknownParts), catalogHealth(context)]);
  return [...parts.filter(({ name }) => name !== catalog.name), catalog];
}

function unknownParts(error: unknown): Health[] {
  return [{ name: 'server', state: 'failed', ready: false, problem: messageOf(error) }];
}

async function catalogHealth({ catalog }: ApiContext): Promise<Health> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const tooLate = new Error(`no answer within ${CATALOG_ANSWER_MS_MAX} ms`);
    timer = setTimeout(() => reject(tooLate), CATALOG_ANSWER_MS_MAX);
  });
  try {
    await Promise.race([catalog.ping(), late]);
    return { name: 'catalog', state: 'running', ready: true };
  } catch (error) {
    return { name: 'catalog', state: 'running', ready: false, problem: messageOf(error) };
  } finally {
    clearTimeout(timer);
  }
}
