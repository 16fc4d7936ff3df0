/** What this process holds when all garbage is gone. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of heap and of buffers that are in use now. */
export function liveBytesNow(): number {
  // Buffers are given back behind the collection that finds them.
  for (let times = 0; times < 3; times++) collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The same when the caller's own left-overs are off the stack, too. */
export async function liveBytes(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve));
  return liveBytesNow();
}
