/** How the pipeline does. */
import type { ApiContext, GroupHandlers } from '../../handlers.ts';
import { isoOrNull } from '../../text.ts';

export function pipelineHandlers(context: ApiContext): GroupHandlers<'pipeline'> {
  return {
    health: async () => {
      const report = await context.pipelineHealth();
      const { recordsPerSecond, samplesPerSecond, deadLettersPerSecond, circuitBreaker, store } = report;
      return {
        status: report.status,
        problem: report.problem,
        lag: { records: report.lagRecords, seconds: report.lagSeconds },
        rates: { recordsPerSecond, samplesPerSecond, deadLettersPerSecond },
        totals: {
          records: report.recordsTotal,
          samples: report.samplesTotal,
          deadLetters: report.deadLettersTotal,
        },
        circuitBreaker: {
          state: circuitBreaker.state,
          since: isoOrNull(circuitBreaker.since),
          reason: circuitBreaker.reason,
        },
        lastStoredAt: isoOrNull(report.lastStoredAt),
        log: report.log.map(({ topic, records, bytes }) => ({ topic, records, bytes })),
        store: {
          hotRows: store.hotRows,
          sealedRows: store.sealedRows,
          sealedBytes: store.sealedBytes,
          sealedFiles: store.sealedFiles,
        },
      };
    },
  };
}
