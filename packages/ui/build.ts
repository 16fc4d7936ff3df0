/**
 * For the server's launcher: is the built UI what the sources say, and build it. As a program it builds where that is
 * needed; with --check it only tells: exit code 0 = current, 1 = to be built. Needs Node ≥ 24 (runs as TypeScript).
 */
import { readFile } from 'node:fs/promises';
import { SOURCE_HASH_FILE, sourceHash } from './build-hash.ts';

/** True when packages/ui/dist was built from exactly the present sources. */
export async function uiIsCurrent(): Promise<boolean> {
  const recorded = await readFile(SOURCE_HASH_FILE, 'utf8').catch(() => ''); // Not built yet: not current.
  return recorded.trim() === (await sourceHash());
}

/** Builds packages/ui/dist; a few seconds. Rejects with the bundler's error. */
export async function buildUi(): Promise<void> {
  const { build } = await import('vite');
  await build({ configFile: `${import.meta.dirname}/vite.config.ts`, logLevel: 'warn' });
}

if (import.meta.main) {
  const isCurrent = await uiIsCurrent();
  if (process.argv.includes('--check')) process.exitCode = isCurrent ? 0 : 1;
  else if (!isCurrent) await buildUi();
}
