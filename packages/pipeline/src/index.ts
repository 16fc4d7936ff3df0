export { type DeadLetter, replayedRecord } from './dead-letters/dead-letter.ts';
export {
  type DeadLetterFilter,
  type DeadLetterSource,
  findDeadLetter,
  listDeadLetters,
} from './dead-letters/list-dead-letters.ts';
export type * from './history/history.ts';
export { progressOf } from './history/history.ts';
export { runHistory } from './history/run-history.ts';
export type * from './options.ts';
export { createPipeline, type Pipeline, type PipelineStatistics } from './pipeline.ts';
