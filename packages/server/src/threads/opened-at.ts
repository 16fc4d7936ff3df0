/**
 * Where the log ended when it was opened, kept on disk until what came behind it is known to be read (leave-out-stored.ts). The
 * doors open before the store can say how far it is; a start that is killed in between would leave the next one a log in which
 * what it had acknowledged looks like what was stored long ago. In: the bounds that this start found; out: those of the first start since.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, messageOf, syncDirectorySync } from '@fieldline/kit';
import type { PartitionBounds } from '@fieldline/log';
import type { Position } from '@fieldline/model';
import { writeDurably } from '../write-durably.ts';

/** On disk before it returns. Before the doors open. */
export function noteOpenedAt(
  dataDir: string,
  found: readonly PartitionBounds[],
  logger: Pick<Logger, 'warn'>,
): readonly PartitionBounds[] {
  const file = fileIn(dataDir);
  const noted = readNoted(file, logger);
  const openedAt = found.map((bounds) => ({
    ...bounds,
    next: Math.min(bounds.next, noted?.[bounds.partition] ?? bounds.next),
  }));
  const ends = openedAt.map(({ next }) => next);
  if (noted === null || String(noted) !== String(ends)) tryToNote(file, ends, logger);
  return openedAt;
}

/** Everything behind it is read from now on. On disk before it returns; before the pipeline stores anything. */
export function forgetOpenedAt(dataDir: string): void {
  rmSync(fileIn(dataDir), { force: true });
  syncDirectorySync(dataDir);
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'log-opened-at.json');
}

/** By partition. */
function readNoted(file: string, logger: Pick<Logger, 'warn'>): readonly Position[] | null {
  try {
    const noted: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (Array.isArray(noted) && noted.every((next) => Number.isSafeInteger(next) && next >= 0)) return noted;
    throw new TypeError('it holds no positions');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null;
    logger.warn({ file, error: messageOf(error) }, 'what an interrupted start left cannot be read; it is passed over');
    return null;
  }
}

/** A full disk takes in nothing that could be lost; where there is room again before the store is open, a kill may cost it. */
function tryToNote(file: string, ends: readonly Position[], logger: Pick<Logger, 'warn'>): void {
  try {
    writeDurably(file, JSON.stringify(ends), 0o640);
  } catch (error) {
    logger.warn({ file, error: messageOf(error) }, 'where the log ended at this start could not be noted');
  }
}
