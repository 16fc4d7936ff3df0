/**
 * The program that is killed: appends numbered records without end, several appends at a time, and writes down in a ledger
 * which were acknowledged. Arguments: folder of the log, first sequence number.
 */
import { writeSync } from 'node:fs';
import { TestOrigins, testBatch, testRecords } from '../testing.ts';
import { openEmbeddedLog } from './embedded-log.ts';

const [dir, first] = process.argv.slice(2) as [string, string];
const log = await openEmbeddedLog({ dir, segmentBytesMax: 200_000 });
const origins = new TestOrigins();
let sequence = Number(first);

async function appendWithoutEnd(): Promise<never> {
  for (;;) {
    const from = sequence;
    const count = 1 + (from % 50);
    sequence += count;
    const [range] = await log.append('telemetry.raw', testBatch(origins, testRecords(from, count), 300));
    // The ledger is the pipe to the parent: what was written to it survives the kill.
    writeSync(1, `${JSON.stringify({ from, count, position: range!.firstPosition })}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, appendWithoutEnd));
