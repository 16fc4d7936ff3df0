/**
 * Watches the room on the file systems that the data folder stands on: log, store and catalog may be mounted apart. In: free
 * bytes, once a second; out: an event for each organisation and a line in the log when a folder gets low, is full, or has room
 * again, the problem for health, a gauge. What is full is refused where it is written; here it is told.
 */
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, type Metrics, messageOf } from '@fieldline/kit';
import { type DomainEvent, type EventType, type Micros, newId } from '@fieldline/model';

/** Less than this is full: an append, a commit or a sealed file would not fit any more. */
const FULL_BYTES = 4 * 1024 * 1024;
/** Low: less than a twentieth of the file system, or than would last for some minutes, whichever is less. */
const LOW_SHARE = 0.05;
const LOW_BYTES = 2 * 1024 * 1024 * 1024;
/** What a folder must have beyond a threshold to be better again, so that it does not flap. */
const BETTER_FACTOR = 1.25;

export type StorageLevel = 'enough' | 'low' | 'full';

export interface Room {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface StorageWatchOptions {
  readonly dataDir: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  nowMicros(): Micros;
  organizationIds(): Promise<readonly string[]>;
  write(event: DomainEvent): void;
  /** How room is measured; tests give their own. */
  readonly measure?: (folder: string) => Promise<Room>;
}

const EVENT_TYPE: Readonly<Record<StorageLevel, EventType>> = {
  enough: 'STORAGE_FREED',
  low: 'STORAGE_LOW',
  full: 'STORAGE_FULL',
};

export class StorageWatch {
  readonly #options: Required<StorageWatchOptions>;
  readonly #levels = new Map<string, StorageLevel>(
    ['log', 'store', 'catalog'].map((name) => [name, 'enough' as StorageLevel]),
  );
  #looking = false;

  constructor(options: StorageWatchOptions) {
    this.#options = { measure: measureFolder, ...options };
  }

  /** What is full, in words; null where nothing is. */
  problem(): string | null {
    const full = [...this.#levels].filter(([, level]) => level === 'full').map(([name]) => name);
    return full.length === 0 ? null : `no room left on the disk for: ${full.join(', ')}; make room`;
  }

  /** Measures once. Calls made meanwhile do nothing. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      for (const name of this.#levels.keys()) await this.#lookAt(name);
    } finally {
      this.#looking = false;
    }
  }

  async #lookAt(name: string): Promise<void> {
    const { logger, metrics, measure, dataDir } = this.#options;
    let room: Room;
    try {
      room = await measure(join(dataDir, name));
    } catch (error) {
      // Not made yet, or on a file system that does not tell: whoever writes there finds out.
      logger.debug({ folder: name, error: messageOf(error) }, 'free room is not known');
      return;
    }
    metrics
      .gauge('fieldline_storage_free_bytes', 'Bytes free where this part of the data folder stands', ['folder'])
      .set({ folder: name }, room.freeBytes);
    const before = this.#levels.get(name)!;
    const level = levelOf(room, before);
    if (level === before) return;
    this.#levels.set(name, level);
    await this.#tell(name, level, room);
  }

  async #tell(name: string, level: StorageLevel, { freeBytes, totalBytes }: Room): Promise<void> {
    const { logger, nowMicros, organizationIds, write } = this.#options;
    const time = nowMicros();
    const reason = sentenceOf(name, level, freeBytes);
    const fields = { folder: name, level, freeBytes, totalBytes };
    if (level === 'full') logger.error(fields, reason);
    else if (level === 'low') logger.warn(fields, reason);
    else logger.info(fields, reason);
    try {
      for (const organizationId of await organizationIds()) {
        const payload = { reason, ...fields };
        const subject = { subjectKind: 'system', subjectId: name } as const;
        write({ id: newId(time / 1000), organizationId, type: EVENT_TYPE[level], ...subject, time, payload });
      }
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'the event about the room on the disk could not be written');
    }
  }
}

/** The level of this room, given the level before. Pure. */
export function levelOf({ freeBytes, totalBytes }: Room, before: StorageLevel): StorageLevel {
  const lowBytes = Math.max(FULL_BYTES, Math.min(LOW_BYTES, totalBytes * LOW_SHARE));
  if (freeBytes < FULL_BYTES * (before === 'full' ? BETTER_FACTOR : 1)) return 'full';
  if (freeBytes < lowBytes * (before === 'enough' ? 1 : BETTER_FACTOR)) return 'low';
  return 'enough';
}

function sentenceOf(name: string, level: StorageLevel, freeBytes: number): string {
  const free = `${Math.floor(freeBytes / 1024 / 1024)} MiB free`;
  if (level === 'enough') return `there is room again for the ${name} (${free})`;
  if (level === 'low') return `little room is left for the ${name} (${free}); make room`;
  return `no room is left for the ${name} (${free}); what cannot be stored is not acknowledged; make room`;
}

/** The file system that a folder stands on. */
export async function measureFolder(folder: string): Promise<Room> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}
