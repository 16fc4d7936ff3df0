/**
 * The thread that PGlite lives in. What comes in on the port is PostgreSQL's wire protocol, as a client would send it over a
 * socket, in chunks of any size; what goes out is the server's half. Messages are handed to the engine in whole requests:
 *
 *   start-up   | length (4) | version (4) | …                  the first one, without a type
 *   others     | type (1) | length (4, counts itself) | …      up to and with Sync, Query, Flush or Terminate
 *
 * A chunk of null closes the database; the thread ends when that is done.
 */
import { flushCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { openEngine } from './engine.ts';
import { FrameSplitter } from './frame-splitter.ts';

export interface PgliteWorkerData {
  /** null = in memory. */
  readonly dataDir: string | null;
  /** One Int32: how many fsyncs were made. */
  readonly fsyncCount: SharedArrayBuffer;
}

/** What the thread says: that it is ready, what the server answers, or that the engine has failed (the last message then). */
export type PgliteWorkerMessage =
  | { readonly ready: true }
  | { readonly data: Uint8Array }
  | { readonly failure: string };

const { dataDir, fsyncCount } = workerData as PgliteWorkerData;
const counter = new Int32Array(fsyncCount);
const port = parentPort!;
const say = (message: PgliteWorkerMessage): void => port.postMessage(message);
const engine = await openEngine(dataDir, { onFsync: () => Atomics.add(counter, 0, 1) });
const splitter = new FrameSplitter();

port.on('message', async (chunk: Uint8Array | null) => {
  if (chunk === null) {
    await engine.close();
    port.close();
    return;
  }
  try {
    for (const request of splitter.push(chunk)) {
      const data = engine.execProtocolRawSync(request);
      // A copy: the answer to the start-up packet is a view of a buffer that the engine uses again.
      if (data.byteLength > 0) say({ data: new Uint8Array(data) });
    }
  } catch (error) {
    // The engine's memory can no longer be trusted. What was committed is on disk.
    say({ failure: String(error) });
    port.close();
  }
});
say({ ready: true });
// Where the process keeps compiled code: a thread that is killed does not write it down by itself.
flushCompileCache();
