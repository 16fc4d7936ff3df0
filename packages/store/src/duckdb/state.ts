/**
 * What the parts of the store share: the session, the layout, and the sets in memory that say what is late, rolled up, stale
 * or gone. The database holds the same facts; open-state.ts reads them at the start, and each change goes to both.
 */
import type { Clock, Logger } from '@fieldline/kit';
import type { RetentionSettings } from '../store.ts';
import type { Cells } from './cells.ts';
import type { CompactionProgress } from './compact.ts';
import type { HotAppender } from './hot-appender.ts';
import type { LatestSamples } from './latest-samples.ts';
import type { LayoutKeeper, SealedFile } from './layout.ts';
import type { RollUpProgress } from './roll-up.ts';
import type { Serial } from './serial.ts';
import type { Session } from './session.ts';

export interface StoreState {
  readonly session: Session;
  /** Everything that the writing connection does, one after the other. */
  readonly writes: Serial;
  readonly sealedDir: string;
  readonly layout: LayoutKeeper;
  readonly latest: LatestSamples;
  readonly late: Cells;
  readonly rollUps: RollUpState;
  /** Organisation of each series; '' for one that was never defined. */
  readonly organizations: Map<number, string>;
  /** What is stored of each series, as a checksum. */
  readonly seriesChecksums: Map<number, number>;
  /** Organisations whose series table is newer than the file beside their samples. */
  readonly seriesChanged: Set<string>;
  readonly positions: Map<string, { epoch: number; next: number }>;
  /** The merging of files under way. */
  compaction: CompactionProgress | null;
  nextFileId: number;
  nextGenerationId: number;
  /** Files whose checksum was right since this start: written by it, or read in whole. */
  readonly sound: WeakSet<SealedFile>;
  /** Where the round through all files, checking their sums, has come. */
  lastCheckedFile: number;
  /** Appends to the open generation's table. */
  appender: HotAppender;
  readonly settings: StoreSettings;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** What is set from outside; see DuckdbStoreOptions. */
export interface StoreSettings {
  readonly sealAfterMs: number;
  readonly sealRowsMax: number;
  readonly sliceRows: number;
  readonly compactAfterMs: number;
  readonly compactRowsMax: number;
  readonly rollUpAfterMs: number;
  readonly rollUpRowsMax: number;
  readonly retention: RetentionSettings;
  readonly retentionGraceMs: number;
  readonly verifyBytesPerRound: number;
  readonly keptRowsMax: number;
  readonly walBytesMax: number;
}

export interface RollUpState {
  /** Hours that are rolled up. */
  readonly rolled: Set<number>;
  readonly stale: Cells;
  /** Hours that are being rolled up now; samples that come meanwhile make their cells stale. */
  readonly rolling: Set<number>;
  /** The job under way; its hours are in `rolling`. */
  progress: RollUpProgress | null;
  /** Appends so far: the stamp of stale cells. */
  appends: number;
  /** Days whose raw samples retention has deleted. */
  readonly droppedDays: Set<number>;
  /** Days before this one have UTC days alone. */
  hoursDroppedBefore: number;
}

/** The organisation that samples of a series are sealed under. */
export function organizationOf(state: StoreState, seriesId: number): string {
  return state.organizations.get(seriesId) ?? '';
}
