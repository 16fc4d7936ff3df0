/** The log's topics as the configuration wants them. One partition each: an embedded log has one pipeline that reads it. */
import type { TopicName, TopicSettings } from '@fieldline/log';
import type { Config } from './config/schema.ts';

const MS_PER_HOUR = 3_600_000;

/** Partitions and retention of every topic. */
export function topicSettings({ log }: Config): Record<TopicName, TopicSettings> {
  return {
    'telemetry.raw': {
      partitions: 1,
      retentionMs: log.rawRetentionHours * MS_PER_HOUR,
      retentionBytes: log.rawRetentionBytes,
    },
    events: { partitions: 1, retentionMs: log.eventsRetentionHours * MS_PER_HOUR, retentionBytes: null },
    'dead-letters': {
      partitions: 1,
      retentionMs: log.deadLettersRetentionHours * MS_PER_HOUR,
      retentionBytes: log.deadLettersRetentionBytes,
    },
    commands: { partitions: 1, retentionMs: log.commandsRetentionHours * MS_PER_HOUR, retentionBytes: null },
  };
}
