/**
 * PGlite as it is started here: with fsync. PGlite's own defaults switch it off (-F), and emscripten's file system for Node
 * answers an fsync without doing it; here every fsync of PostgreSQL is one of the operating system. See ADR 5.
 */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { flushAfterCrash } from './flush-after-crash.ts';
import { FlushMark } from './flush-mark.ts';

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

export interface EngineOptions {
  /** Told of each fsync that was made. */
  readonly onFsync?: () => void;
  /** For a folder that is thrown away after a crash, and flushed whole when it is finished: nothing is flushed before. */
  readonly isBuilding?: boolean;
}

/** Opens the database in this folder (null = in memory, for tests), made where it is missing. */
export async function openEngine(dataDir: string | null, options: EngineOptions = {}): Promise<PGlite> {
  const engine = new PGlite({
    ...(dataDir !== null && { fs: new SyncedNodeFs(dataDir, options) }),
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
    write: (stream: Stream, memory: Int8Array, at: number, length: number, fileOffset: number) => number;
  };
}

interface Stream {
  readonly nfd?: number;
  readonly node: unknown;
}

class SyncedNodeFs extends NodeFS {
  readonly #options: EngineOptions;
  readonly #flushing: Promise<Set<string>>;
  readonly #mark: FlushMark;

  constructor(dataDir: string, options: EngineOptions) {
    super(dataDir);
    this.#options = options;
    this.#mark = new FlushMark(resolve(dataDir));
    // Beside the compilation of the engine.
    this.#flushing = flushAfterCrash(resolve(dataDir));
    this.#flushing.catch(() => {
      // Told by init().
    });
  }

  override async init(engine: PGlite, options: Options): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(engine, options);
    const flushed = await this.#flushing;
    const { onFsync, isBuilding = false } = this.#options;
    const mend = (module: { NODEFS: unknown }): void => {
      const nodefs = module.NODEFS as Nodefs;
      const { write } = nodefs.stream_ops;
      nodefs.stream_ops.fsync = (stream) => {
        const path = nodefs.realPath(stream.node);
        if (isBuilding || flushed.has(path)) return 0;
        if (stream.nfd === undefined) syncPath(path);
        else fsyncSync(stream.nfd);
        this.#mark.noteFlush(path);
        onFsync?.();
        return 0;
      };
      nodefs.stream_ops.write = (stream, memory, at, length, fileOffset) => {
        const path = nodefs.realPath(stream.node);
        if (flushed.size > 0) forget(flushed, path);
        this.#mark.noteWrite(path, memory.subarray(at, at + length), fileOffset);
        return write(stream, memory, at, length, fileOffset);
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
