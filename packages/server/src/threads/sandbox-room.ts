/**
 * Sandboxes stand on the disk that the log stands on, and a replay can fill any disk: their room is limited, and they grow no
 * further before the disk gets low. In: their folder and limit; out: nothing, or a refusal that ends the replay and says what to do.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FieldlineError } from '@fieldline/kit';
import { levelOf, measureFolder, type Room } from '../storage-watch.ts';

const MIB = 1024 * 1024;

export interface SandboxLimits {
  readonly folder: string;
  /** Of all sandboxes together. */
  readonly bytesMax: number;
  readonly measure?: (folder: string) => Promise<Room>;
}

/** CONFLICT where the sandboxes are as large as they may be, or the disk is nearly low. */
export async function refuseWithoutRoom({ folder, bytesMax, measure = measureFolder }: SandboxLimits): Promise<void> {
  const held = await bytesIn(folder);
  if (held >= bytesMax) throw refusal(`sandboxes take ${mib(held)} of ${mib(bytesMax)} (jobs.sandboxBytesMax)`);
  const room = await measure(folder);
  // Some room above the threshold at which the disk is low.
  if (levelOf(room, 'low') !== 'enough') throw refusal(`only ${mib(room.freeBytes)} are left on the disk`);
}

function refusal(why: string): FieldlineError {
  return new FieldlineError(
    'CONFLICT',
    `the sandbox is not filled further: ${why}; delete jobs whose sandboxes are not needed any more, then resume this one`,
  );
}

function mib(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries.filter((entry) => entry.isFile()).map((entry) => sizeOf(join(entry.parentPath, entry.name))),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return 0; // Sealed or deleted in between.
    throw error;
  }
}
