import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeLogConformance } from '../conformance.ts';
import { openEmbeddedLog } from './embedded-log.ts';

// Small segments, so that there are many: several flushes in each, and one in each.
for (const segmentBytesMax of [20_000, 1]) {
  describeLogConformance(`embedded (segments of ${segmentBytesMax} bytes)`, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'fieldline-log-'));
    return {
      open: (topics) => {
        const onDamage = (damage: object): never => {
          throw new Error(`damage where there is none: ${JSON.stringify(damage)}`);
        };
        return openEmbeddedLog({ dir, topics, segmentBytesMax, onDamage });
      },
      dispose: () => rm(dir, { recursive: true }),
    };
  });
}
