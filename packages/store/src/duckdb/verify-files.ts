/** Whether a sealed file is still what was written: there, of its length, with its checksum. Marks one that is not. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { FieldlineError, messageOf } from '@fieldline/kit';
import { Layout, type SealedFile } from './layout.ts';
import type { StoreState } from './state.ts';

/** What to do about a damaged file. */
export const REMEDY =
  'restore it from a backup, or stop the server and let `fieldline doctor --repair` take its samples from the log';

/** CRC-32 of a file, read in pieces. */
export async function fileCrc32(path: string): Promise<number> {
  let checksum = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 })) checksum = crc32(piece, checksum);
  return checksum;
}

/** What is wrong with a file, in words; null where nothing is. */
export async function damageOf(sealedDir: string, file: SealedFile): Promise<string | null> {
  const path = join(sealedDir, file.path);
  const what = `sealed file ${path}`;
  try {
    const { size } = await stat(path);
    if (size !== file.byteLength) return `${what} has ${size} bytes instead of ${file.byteLength}; ${REMEDY}`;
    if ((await fileCrc32(path)) !== file.crc32)
      return `${what} has another checksum than when it was written; ${REMEDY}`;
    return null;
  } catch (error) {
    return `${what} cannot be read (${messageOf(error)}); ${REMEDY}`;
  }
}

/**
 * Before files are read for the first time since the start: a changed byte may still decode, to another value. Throws
 * STORE_DAMAGED with the file's name, once; from then on the file is left out.
 */
export async function requireSound(state: StoreState, files: readonly SealedFile[]): Promise<void> {
  for (const file of files) {
    if (state.sound.has(file)) continue;
    const damage = await damageOf(state.sealedDir, file);
    if (damage === null) {
      state.sound.add(file);
      continue;
    }
    // Compaction or retention may have taken it away meanwhile; who holds an older layout asks again.
    if (state.layout.current.files.includes(file)) await markDamaged(state, file, damage);
    throw new FieldlineError('STORE_DAMAGED', damage, { details: { path: file.path } });
  }
}

/** Leaves the file out of answers from now on, and says so in the log and in statistics(). */
export async function markDamaged(state: StoreState, file: SealedFile, damage: string): Promise<void> {
  state.logger.error({ code: 'STORE_DAMAGED', path: file.path, rowCount: file.rowCount }, damage);
  setDamage(state, file, damage);
  await state.writes.run(async () => {
    await state.session.writer.run('UPDATE files SET damage = $1 WHERE id = $2', [damage, file.id]);
  });
}

/** A file that was marked has been restored: it is answered from again. */
export async function clearDamage(state: StoreState, file: SealedFile): Promise<void> {
  setDamage(state, file, null);
  await state.writes.run(async () => {
    await state.session.writer.run('UPDATE files SET damage = NULL WHERE id = $1', [file.id]);
  });
}

function setDamage(state: StoreState, file: SealedFile, damage: string | null): void {
  const { generations, files } = state.layout.current;
  const marked = files.map((other) => (other.id === file.id ? { ...other, damage } : other));
  state.layout.replace(new Layout(generations, marked));
}
