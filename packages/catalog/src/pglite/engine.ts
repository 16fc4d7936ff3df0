/**
 * PGlite as it is started here: with fsync. PGlite's own defaults switch it off (-F), and emscripten's file system for Node
 * answers an fsync without doing it; here every fsync of PostgreSQL is one of the operating system. See ADR 5.
 */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { flushAfterCrash } from './flush-after-crash.ts';

/** PostgreSQL's parameters. Memory is kept small: there is one session and little data. */
const PARAMETERS: Readonly<Record<string, string>> = {
  search_path: 'public',
  exit_on_error: 'false',
  log_checkpoints: 'false',
  max_worker_processes: '0',
  max_parallel_workers: '0',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  io_method: 'sync',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_sync_method: 'fsync',
  shared_buffers: '16MB',
  maintenance_work_mem: '16MB',
  min_wal_size: '32MB',
  max_wal_size: '64MB',
};

const START_PARAMETERS = ['--single', '-j', ...Object.entries(PARAMETERS).flatMap(([k, v]) => ['-c', `${k}=${v}`])];

/** Opens the database in this folder (null = in memory, for tests), made where it is missing. `onFsync` is told of each. */
export async function openEngine(dataDir: string | null, onFsync: () => void = () => {}): Promise<PGlite> {
  const engine = new PGlite({
    ...(dataDir !== null && { fs: new SyncedNodeFs(dataDir, onFsync) }),
    startParams: START_PARAMETERS,
  });
  await engine.waitReady;
  return engine;
}

type Options = Parameters<NodeFS['init']>[1];

/** The part of emscripten's file system that is mended. */
interface Nodefs {
  readonly realPath: (node: unknown) => string;
  readonly stream_ops: {
    fsync?: (stream: Stream) => number;
    write: (stream: Stream, ...what: unknown[]) => number;
  };
}

interface Stream {
  readonly nfd?: number;
  readonly node: unknown;
}

class SyncedNodeFs extends NodeFS {
  readonly #onFsync: () => void;
  readonly #flushing: Promise<Set<string>>;

  constructor(dataDir: string, onFsync: () => void) {
    super(dataDir);
    this.#onFsync = onFsync;
    // Beside the compilation of the engine.
    this.#flushing = flushAfterCrash(resolve(dataDir));
    this.#flushing.catch(() => {
      // Told by init().
    });
  }

  override async init(engine: PGlite, options: Options): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(engine, options);
    const flushed = await this.#flushing;
    const mend = (module: { NODEFS: unknown }): void => {
      const nodefs = module.NODEFS as Nodefs;
      const { write } = nodefs.stream_ops;
      nodefs.stream_ops.fsync = (stream) => {
        if (flushed.size > 0 && flushed.has(nodefs.realPath(stream.node))) return 0;
        if (stream.nfd === undefined) syncPath(nodefs.realPath(stream.node));
        else fsyncSync(stream.nfd);
        this.#onFsync();
        return 0;
      };
      nodefs.stream_ops.write = (stream, ...what) => {
        if (flushed.size > 0) forget(flushed, nodefs.realPath(stream.node));
        return write(stream, ...what);
      };
    };
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), mend] } };
  }
}

/** A file that is written must be flushed again. With the first write of pg_control the recovery begins to change what it likes. */
function forget(flushed: Set<string>, path: string): void {
  if (path.endsWith('/global/pg_control')) flushed.clear();
  else flushed.delete(path);
}

/** A folder has no descriptor in emscripten's file system: it is opened for this. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
