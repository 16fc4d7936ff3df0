/**
 * A read under a lease on the layout. Where it fails because a file is missing or damaged, the file is found, marked and
 * named in the error (STORE_DAMAGED); later reads leave it out, and statistics() tells of it.
 */
import { FieldlineError } from '@fieldline/kit';
import type { Layout } from './layout.ts';
import { storeError } from './session.ts';
import type { StoreState } from './state.ts';
import { damageOf, markDamaged } from './verify-files.ts';

export async function guardedRead<T>(state: StoreState, work: (layout: Layout) => Promise<T>): Promise<T> {
  const lease = state.layout.lease();
  try {
    return await work(lease.layout);
  } catch (error) {
    const failure = storeError('reading telemetry', error);
    if (failure.code !== 'UNAVAILABLE') throw failure;
    const damage = await findDamage(state, lease.layout, failure.message);
    if (damage === null) throw failure;
    throw new FieldlineError('STORE_DAMAGED', damage, { cause: error });
  } finally {
    lease.release();
  }
}

/** Checks the files that the message names, or all of them where it names none. */
async function findDamage(state: StoreState, layout: Layout, message: string): Promise<string | null> {
  const sound = layout.files.filter((file) => file.damage === null);
  const named = sound.filter((file) => message.includes(file.path));
  if (named.length === 0 && !/parquet|zstd|decompress|no such file|cannot open/i.test(message)) return null;
  for (const file of named.length > 0 ? named : sound) {
    const damage = await damageOf(state.sealedDir, file);
    if (damage === null) continue;
    await markDamaged(state, file, damage);
    return damage;
  }
  return null;
}
