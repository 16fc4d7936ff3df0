/**
 * Makes a damaged store whole again, as far as the log and what is still intact allow. Nothing is deleted: what is damaged is
 * moved aside. Samples keep their log position as version, so what the log brings a second time doubles nothing.
 */
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Position } from '@fieldline/model';
import { inspectStore, type StoreInspection, withWritable } from './inspect-store.ts';
import type { SealedFile } from './layout.ts';
import { moveFile } from './leftovers.ts';
import { rebuildStore, restoreHeaders } from './rebuild-store.ts';
import { integer, transaction } from './session.ts';

export interface StoreRepair {
  readonly dir: string;
  /** Where damaged things go; made where it is missing. */
  readonly asideDir: string;
  /** The oldest record that the log still has: the store reads again from there. */
  oldestOf(topic: string, partition: number): Position;
}

export interface StoreRepairReport {
  /** What was done, in sentences. */
  readonly done: readonly string[];
  /** Sealed files whose samples come again only as far as the log holds them. */
  readonly fromLog: readonly SealedFile[];
  /** Sealed files that were on no list and cannot be read, with the reason. */
  readonly unreadable: readonly string[];
  /** True where the whole database was made anew: hot rows come from the log, and what else it knew is told in `done`. */
  readonly isNew: boolean;
}

/** Repairs what `inspection` (of this moment) has found. The store must not be open. */
export async function repairStore(repair: StoreRepair, inspection: StoreInspection): Promise<StoreRepairReport> {
  if (inspection.findings.every(({ mend }) => mend !== 'log')) {
    if (inspection.findings.length > 0) await checkpoint(repair.dir);
    return { done: [], fromLog: [], unreadable: [], isNew: false };
  }
  if (inspection.databaseSound) return takeOutFiles(repair, inspection.damagedFiles);
  if (await restoreHeaders(repair.dir, repair.asideDir)) {
    const rest = await repairStore(repair, await inspectStore(repair.dir));
    return { ...rest, done: [`${join(repair.dir, 'store.duckdb')}: its headers were restored`, ...rest.done] };
  }
  const { done, damaged, unreadable } = await rebuildStore(repair.dir, repair.asideDir);
  return { done, fromLog: damaged, unreadable, isNew: true };
}

/** Opening replays the write-ahead log as far as it is whole; the checkpoint puts that into the database. */
async function checkpoint(dir: string): Promise<void> {
  await withWritable(join(dir, 'store.duckdb'), async () => {});
}

async function takeOutFiles(repair: StoreRepair, damaged: readonly SealedFile[]): Promise<StoreRepairReport> {
  const done: string[] = [];
  await withWritable(join(repair.dir, 'store.duckdb'), async (connection) => {
    for (const file of damaged) done.push(await moveAside(repair, join('sealed', file.path)));
    await transaction(connection, async () => {
      await connection.run(`DELETE FROM files WHERE id IN (${damaged.map(({ id }) => integer(id)).join(', ')})`);
      done.push(...(await goBack(connection, repair)));
    });
  });
  return { done, fromLog: damaged, unreadable: [], isNew: false };
}

/** The store reads the log again from its oldest record. */
async function goBack(connection: DuckDBConnection, { oldestOf }: StoreRepair): Promise<string[]> {
  const rows = await (await connection.run('SELECT topic, partition, next FROM positions')).getRows();
  const told: string[] = [];
  for (const [topic, partition, next] of rows) {
    const oldest = Math.min(Number(next), oldestOf(String(topic), Number(partition)));
    await connection.run('UPDATE positions SET next = $1 WHERE topic = $2 AND partition = $3', [
      BigInt(oldest),
      String(topic),
      Number(partition),
    ]);
    told.push(`the store reads ${topic}/${partition} again from record ${oldest}, at the next start`);
  }
  return told;
}

async function moveAside({ dir, asideDir }: StoreRepair, path: string): Promise<string> {
  const [from, to] = [join(dir, path), join(asideDir, 'store', path)];
  try {
    await moveFile(from, to);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return `${from} is missing; it was taken off the list`;
    throw error;
  }
  return `moved ${from} to ${to}`;
}
