/**
 * Looks at everything in the data folder of a stopped server, part by part in the order of the data's way, and changes nothing.
 * What one part cannot know alone is compared here: how far the store has read the log, and whether a part is missing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inspectCatalog, newestCopy, restoringFrom } from '@fieldline/catalog';
import { type Finding, type Inspection, isFieldlineError, messageOf, readJournal } from '@fieldline/kit';
import { inspectLog, type LogInspection, TOPICS } from '@fieldline/log';
import { inspectStore, type StoreInspection } from '@fieldline/store';

export const DOCTOR_PARTS = ['folder', 'broker', 'log', 'store', 'catalog'] as const;
export type DoctorPart = (typeof DOCTOR_PARTS)[number];

export interface Examination {
  readonly dataDir: string;
  readonly inspections: readonly Inspection[];
  readonly log: LogInspection;
  readonly store: StoreInspection;
}

const SECRET_KEY_BYTES = 32;
const FROM_BACKUP = 'restore it from a backup';

export interface ExaminationOptions {
  /** Where the catalog is a PostgreSQL server, its folder is not missed. Default pglite. */
  readonly catalogAdapter?: 'pglite' | 'postgres';
  /** Looks at the catalog too, which takes the longest: it is started on a copy. Default true. */
  readonly withCatalog?: boolean;
  /** Told what is looked at. */
  readonly say?: (part: DoctorPart) => void;
}

/** Examines the folder of a server that does not run: the caller holds the folder's lock. */
export async function examineFolder(dataDir: string, options: ExaminationOptions = {}): Promise<Examination> {
  const { catalogAdapter = 'pglite', withCatalog = true, say = () => {} } = options;
  say('folder');
  const folder = await inspectFolder(dataDir, catalogAdapter);
  say('broker');
  const broker = await inspectSessions(join(dataDir, 'broker', 'sessions.journal'));
  say('log');
  const log = await inspectLog(join(dataDir, 'log'));
  say('store');
  const found = await inspectStore(join(dataDir, 'store'));
  const store = { ...found, findings: [...found.findings, ...comparePositions(dataDir, log, found)] };
  const inspections = [folder, broker, log, store];
  if (withCatalog) {
    say('catalog');
    inspections.push(await inspectCatalog(join(dataDir, 'catalog')));
  }
  return { dataDir, inspections, log, store };
}

/** All findings of all parts. */
export function findingsOf({ inspections }: Examination): Finding[] {
  return inspections.flatMap(({ findings }) => findings);
}

async function inspectFolder(dataDir: string, catalogAdapter: 'pglite' | 'postgres'): Promise<Inspection> {
  const findings: Finding[] = [];
  const has = (name: string): boolean => existsSync(join(dataDir, name));
  const isUsed = has('log') || has('store') || has('catalog');
  if (isUsed && !has('catalog') && catalogAdapter === 'pglite') {
    const meaning = 'it is missing: nothing says any more whose telemetry that is, and the server does not start';
    const file = join(dataDir, 'catalog');
    const copy = await newestCopy(file);
    const [remedy, mend] =
      copy === null ? ([FROM_BACKUP, 'none'] as const) : ([restoringFrom(copy.takenAt), 'copy'] as const);
    findings.push({ file, place: null, meaning, remedy, mend });
  }
  if (has('secret.key')) {
    const file = join(dataDir, 'secret.key');
    const text = readFileSync(file, 'utf8').trim();
    const isKey = Buffer.from(text, 'base64').length === SECRET_KEY_BYTES && /^[A-Za-z0-9+/]{43}=$/.test(text);
    const meaning = 'it is not a key: what is encrypted in the catalog cannot be read, and the server does not start';
    if (!isKey) findings.push({ file, place: null, meaning, remedy: FROM_BACKUP, mend: 'none' });
  }
  return { part: 'folder', counts: {}, findings };
}

async function inspectSessions(file: string): Promise<Inspection> {
  const findings: Finding[] = [];
  let records = 0;
  if (existsSync(dirname(file)) && !existsSync(file)) {
    const meaning = 'it is missing: sessions, subscriptions, queued messages and retained topics of clients are lost';
    const remedy = 'restore it from a backup; or the next start, or --repair, begins anew';
    findings.push({ file, place: null, meaning, remedy, mend: 'restart' });
  }
  try {
    const reading = await readJournal(file);
    records = reading.records.length;
    for (const damage of reading.damage) {
      findings.push({
        file,
        place: damage.replace(`${file} `, ''),
        meaning: 'subscriptions, queued messages or retained topics of clients are lost with it',
        remedy: 'the next start, or --repair, goes on with what is intact and keeps the file aside',
        mend: 'restart',
      });
    }
    if (reading.tornBytes > 0) {
      findings.push({
        file,
        place: `the last ${reading.tornBytes} bytes`,
        meaning: 'the end is torn: what was being written there was never confirmed, or was cut off',
        remedy: 'the next start, or --repair, cuts it off',
        mend: 'restart',
      });
    }
  } catch (error) {
    const remedy = isFieldlineError(error, 'FORMAT_TOO_NEW') ? 'start the newer version' : FROM_BACKUP;
    findings.push({ file, place: null, meaning: messageOf(error), remedy, mend: 'none' });
  }
  return { part: 'broker', counts: { records }, findings };
}

/** The store may be behind the log (it catches up), not ahead of it, and not behind what retention has deleted. */
function comparePositions(dataDir: string, log: LogInspection, store: StoreInspection): Finding[] {
  const findings: Finding[] = [];
  // Others are how far replays were.
  const ofTopics = store.positions.filter(({ topic }) => (TOPICS as readonly string[]).includes(topic));
  for (const { topic, partition, next } of ofTopics) {
    const bounds = log.partitions.find((each) => each.topic === topic && each.partition === partition);
    const file = join(dataDir, 'log', topic, String(partition));
    const end = bounds?.next ?? 0;
    if (next > end) {
      findings.push({
        file,
        place: `records ${end} to ${next - 1}`,
        meaning:
          'the store holds samples of them and the log ends before: records that were not stored yet may be lost too',
        remedy: 'restore the log from a backup, or start: the log goes on behind them',
        mend: 'restart',
      });
    } else if (bounds !== undefined && next < bounds.first) {
      findings.push({
        file,
        place: `records ${next} to ${bounds.first - 1}`,
        meaning: 'retention has deleted them before they were stored: their samples are lost',
        remedy: 'keep the log longer (log.rawRetentionHours, log.rawRetentionBytes)',
        mend: 'none',
      });
    }
  }
  return findings;
}
