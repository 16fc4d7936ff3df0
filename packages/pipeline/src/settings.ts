/** The pipeline's limits, with their defaults. */
import { DEFAULT_DECODE_LIMITS } from '@fieldline/codecs';
import type { PipelineSettings } from './options.ts';

export const DEFAULT_PIPELINE_SETTINGS: PipelineSettings = {
  transactionIntervalMs: 50,
  samplesPerTransactionMax: 50_000,
  readBytesMax: 4 * 1024 * 1024,
  futureToleranceMs: 300_000,
  decodeLimits: DEFAULT_DECODE_LIMITS,
  breakerFailures: 5,
  liveSamplesMax: 2000,
  liveLatestIntervalMs: 1000,
};
