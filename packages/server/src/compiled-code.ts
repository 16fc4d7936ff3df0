/**
 * Node reads our TypeScript and compiles it at each start, in each thread anew, which is half of a start's work. What comes out
 * is kept in node_modules/.cache/fieldline, beside the code and as trustworthy; Node compares it with the code before it uses it.
 * Where that folder cannot be written, NODE_COMPILE_CACHE names another one; without any, starts take longer.
 */
import { enableCompileCache, flushCompileCache, getCompileCacheDir } from 'node:module';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../../node_modules/.cache/fieldline', import.meta.url));
/** How long after it was ready a thread writes down what is new: after the work that a start leaves behind. */
const WRITE_AFTER_MS = 3_000;

/** To be called before anything else is imported. Threads find the folder in their environment. */
export function keepCompiledCode(): void {
  enableCompileCache(process.env.NODE_COMPILE_CACHE ?? FOLDER);
  if (getCompileCacheDir() !== undefined) process.env.NODE_COMPILE_CACHE ??= FOLDER;
}

/** Writes down what this thread has compiled: one that is killed does not come to it by itself. */
export function writeCompiledCode(): void {
  setTimeout(flushCompileCache, WRITE_AFTER_MS).unref();
}
