export {
  type EmbeddedLog,
  type EmbeddedLogOptions,
  openEmbeddedLog,
} from './embedded/embedded-log.ts';
export { type EmbeddedReaderOptions, openEmbeddedLogReader, type SharedLog } from './embedded/embedded-reader.ts';
export { type InspectedPartition, inspectLog, type LogInspection } from './embedded/inspect-log.ts';
export * from './log.ts';
export { createMemoryLog } from './memory/memory-log.ts';
export * from './settings.ts';
