import { describeLogConformance } from '../conformance.ts';
import { createMemoryLog } from './memory-log.ts';

describeLogConformance('memory', async () => ({
  open: async (topics) => createMemoryLog(topics),
  dispose: async () => {},
}));
