/**
 * Line 6: the power goes at random moments, and only what was flushed is left. The server runs under strace with clients of
 * every kind; from the recording its folder is rebuilt as a cut would leave it (recorded-disk.ts), a server is started on it, and
 * everything that was acknowledged before the cut must be there.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@fieldline/kit';
import { AcknowledgedWork, type Loss } from '../tests/support/power-cut/acknowledged-work.ts';
import { RecordedDisk, type Unflushed } from '../tests/support/power-cut/recorded-disk.ts';
import { readCalls, recording, recordingEnded, straceProblem } from '../tests/support/power-cut/system-calls.ts';
import { startServer, temporaryFolder } from '../tests/support/server-process.ts';
import type { ScorecardLine } from './line.ts';

/** Sealing and new log files all the time, so that cuts fall into them. */
const ENVIRONMENT = {
  FIELDLINE_STORE_SEAL_AFTER_SECONDS: '1',
  FIELDLINE_STORE_SEAL_ROWS: '1000',
  FIELDLINE_LOG_SEGMENT_BYTES_MAX: '1048576',
};

export const powerCut: ScorecardLine = {
  number: 6,
  what: 'power cut',
  must: '0 acknowledged lost, 0 doubled, every start succeeds',
  async run(form, say) {
    const problem = straceProblem();
    if (problem !== null) return { passed: null, figure: problem };
    const folder = temporaryFolder('power-cut');
    const { work, disk, fromMs, toMs } = await record(folder.path, form === 'long' ? 60_000 : 8_000);
    const cuts = form === 'long' ? 100 : 6;
    const moments = Array.from({ length: cuts }, () => fromMs + Math.random() * (toMs - fromMs)).sort((a, b) => a - b);
    const total = { acknowledged: 0, lost: 0, doubled: 0, findings: [] as string[] };
    for (const [index, cutMs] of moments.entries()) {
      disk.advanceTo(cutMs / 1000);
      // Every other time some of what was not flushed is there, in pieces and out of order.
      const { acknowledged, lost, doubled, findings } = await cut(folder.path, index, disk, cutMs, work);
      say(
        `cut ${index + 1} at ${((cutMs - fromMs) / 1000).toFixed(2)} s: ${lost} lost, ${doubled} doubled of ${acknowledged}`,
      );
      total.acknowledged += acknowledged;
      total.lost += lost;
      total.doubled += doubled;
      total.findings.push(...findings);
    }
    const passed = total.lost + total.doubled === 0;
    if (passed) folder.remove();
    else say(`kept for a look: ${folder.path}`);
    return {
      passed,
      figure: `${total.lost} lost, ${total.doubled} doubled of ${total.acknowledged.toLocaleString('en-US')} acknowledged before ${cuts} cuts`,
      findings: total.findings,
    };
  },
};

interface Recorded {
  readonly work: AcknowledgedWork;
  readonly disk: RecordedDisk;
  /** Between these moments the work was under way (wall clock). */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Runs a server from its first start on, with all work, and takes down what it does. */
async function record(folder: string, durationMs: number): Promise<Recorded> {
  const [trace, root] = [join(folder, 'trace'), join(folder, 'disk')];
  mkdirSync(trace);
  mkdirSync(root);
  const disk = new RecordedDisk(root);
  const server = await startServer({
    dataDir: join(root, 'data'),
    environment: ENVIRONMENT,
    under: recording(trace),
    startTimeoutMs: 180_000,
  });
  const fromMs = Date.now();
  const work = await AcknowledgedWork.begin(server);
  await sleep(durationMs);
  const toMs = Date.now();
  await server.kill();
  await work.end();
  await recordingEnded(trace);
  disk.take(readCalls(trace));
  return { work, disk, fromMs, toMs };
}

/** Starts a server on what a cut at this moment leaves, and asks it. */
async function cut(
  folder: string,
  index: number,
  disk: RecordedDisk,
  cutMs: number,
  work: AcknowledgedWork,
): Promise<Loss> {
  const unflushed: Unflushed = index % 2 === 0 ? 'lost' : Math.random;
  const found = join(folder, `cut-${index}`);
  disk.writeTo(found, unflushed);
  try {
    const server = await startServer({ dataDir: join(found, 'data'), environment: ENVIRONMENT });
    try {
      return await work.compare(server, cutMs);
    } finally {
      await server.kill();
    }
  } catch (error) {
    return {
      acknowledged: 0,
      lost: 1,
      doubled: 0,
      findings: [`after cut ${index + 1}: ${messageOf(error).slice(0, 2000)}`],
    };
  }
}
