/** A file system of a few megabytes (tmpfs) that can be filled and emptied. Mounting needs root. */
import { spawnSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const BALLAST = 'ballast';

/** Why no file system can be mounted here; null where it can. */
export function mountProblem(folder: string): string | null {
  mkdirSync(folder, { recursive: true });
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
  if (status !== 0)
    return `a small file system cannot be mounted: ${String(stderr ?? '').trim() || 'no mount command'}`;
  spawnSync('umount', [folder]);
  return null;
}

export class SmallDisk {
  readonly #folder: string;

  /** Puts what is in the folder onto a file system of its own, mounted in the folder's place. */
  constructor(folder: string, mebibytes: number) {
    this.#folder = folder;
    const aside = `${folder}.aside`;
    renameSync(folder, aside);
    mkdirSync(folder, { mode: 0o750 });
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=750`, 'tmpfs', folder]);
    if (status !== 0) throw new Error(`${folder} could not be mounted`);
    cpSync(aside, folder, { recursive: true });
    rmSync(aside, { recursive: true });
  }

  /** Takes all the room that is left. */
  fill(): void {
    const descriptor = openSync(join(this.#folder, BALLAST), 'w');
    try {
      for (const block of [Buffer.alloc(65_536, 1), Buffer.alloc(1, 1)]) this.#fillWith(descriptor, block);
    } finally {
      closeSync(descriptor);
    }
  }

  empty(): void {
    rmSync(join(this.#folder, BALLAST), { force: true });
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.#folder]);
  }

  #fillWith(descriptor: number, block: Buffer): void {
    for (;;) {
      try {
        if (writeSync(descriptor, block) === 0) return;
      } catch (error) {
        if ((error as { code?: string }).code === 'ENOSPC') return;
        throw error;
      }
    }
  }
}
