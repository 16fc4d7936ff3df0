/** Has injuries examined by processes beside this one, one for each processor: a library that ends its process ends none of ours. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExaminationJob, Examined } from './examine.process.ts';

const PROCESS = fileURLToPath(new URL('./examine.process.ts', import.meta.url));
const TIMEOUT_MS = 120_000;

/** Results in the order of the injuries. */
export async function examineAll(
  injuries: readonly Omit<ExaminationJob, 'workDir'>[],
  workDir: string,
  onDone: (count: number) => void,
): Promise<Examined[]> {
  const results: Examined[] = [];
  const entries = injuries.entries();
  let done = 0;
  const lanes = Array.from({ length: Math.min(2, availableParallelism()) }, async (_, lane) => {
    let child: ChildProcess | null = null;
    let turn = 0;
    for (const [index, { from, seed, only }] of entries) {
      child ??= fork(PROCESS, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      const job: ExaminationJob = { from, seed, only, workDir: join(workDir, `${lane}-${turn}`) };
      const result = await answerOf(child, job);
      if (result === null) {
        child = null;
        turn += 1;
      }
      results[index] = result ?? {
        seed,
        isNamed: false,
        amiss: 'the process that examined it ended, or did not answer',
      };
      done += 1;
      onDone(done);
    }
    child?.kill();
  });
  await Promise.all(lanes);
  return results;
}

/** null where the process ended, or was ended since it did not answer. */
async function answerOf(child: ChildProcess, job: ExaminationJob): Promise<Examined | null> {
  const stop = new AbortController();
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  try {
    const answer = once(child, 'message', { signal: stop.signal }).then(([examined]) => examined as Examined);
    const end = once(child, 'exit', { signal: stop.signal }).then(() => null);
    child.send(job);
    return await Promise.race([answer, end]);
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}
