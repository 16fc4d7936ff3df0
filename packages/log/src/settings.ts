/** How many partitions each topic has and how long it is kept, unless the configuration says otherwise. */
import type { TopicName, TopicSettings } from './log.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * One partition each: with the embedded log one process has one pipeline, so more partitions would only make smaller
 * batches and more flushes. A log that several processes read (Kafka, NATS) takes as many as there shall be pipelines.
 */
export const DEFAULT_TOPIC_SETTINGS: Readonly<Record<TopicName, TopicSettings>> = {
  'telemetry.raw': { partitions: 1, retentionMs: 30 * DAY_MS, retentionBytes: null },
  events: { partitions: 1, retentionMs: 90 * DAY_MS, retentionBytes: null },
  'dead-letters': { partitions: 1, retentionMs: 30 * DAY_MS, retentionBytes: null },
  commands: { partitions: 1, retentionMs: 7 * DAY_MS, retentionBytes: null },
};

/** Default of ReadOptions.bytesMax. */
export const READ_BYTES_MAX = 4 * 1024 * 1024;
