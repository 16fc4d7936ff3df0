/**
 * Looks at everything in the data folder of a stopped server, part by part in the order of the data's way, and changes nothing.
 * What one part cannot know alone is compared here: how far the store has read the log, and whether a part is missing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inspectCatalog } from '@fieldline/catalog';
import { type Finding, type Inspection, isFieldlineError, messageOf, readJournal } from '@fieldline/kit';
import { inspectLog, type LogInspection } from '@fieldline/log';
import { inspectSeries, inspectStore, type StoreInspection } from '@fieldline/store';
import { INSTALLATION_FILE, isThere, readInstallation } from '../installation-file.ts';
import { foreignParts, type MissingPart, missingParts } from '../whole-folder.ts';
import { comparePositions, compareSeries } from './compare-parts.ts';
import { inspectSandboxes } from './inspect-sandboxes.ts';

export const DOCTOR_PARTS = ['folder', 'broker', 'log', 'store', 'sandbox', 'catalog'] as const;
export type DoctorPart = (typeof DOCTOR_PARTS)[number];

export interface Examination {
  readonly dataDir: string;
  readonly hasKeySetting: boolean;
  /** Parts that are gone; their findings are those of the part `folder`, too. */
  readonly missing: readonly MissingPart[];
  readonly inspections: readonly Inspection[];
  readonly log: LogInspection;
  readonly store: StoreInspection;
}

const SECRET_KEY_BYTES = 32;
const EMPTY_LOG: LogInspection = { part: 'log', counts: { segments: 0, records: 0 }, findings: [], partitions: [] };
const FROM_BACKUP = 'restore it from a backup';

export interface ExaminationOptions {
  /** Where the catalog is a PostgreSQL server, its folder is not missed. Default pglite. */
  readonly catalogAdapter?: 'pglite' | 'postgres';
  /** Where the key is a setting, its file is not missed. Default false. */
  readonly hasKeySetting?: boolean;
  /** Looks at the catalog too, which takes the longest: it is started on a copy. Default true. */
  readonly withCatalog?: boolean;
  /** Told what is looked at. */
  readonly say?: (part: DoctorPart) => void;
}

/** Examines the folder of a server that does not run: the caller holds the folder's lock. */
export async function examineFolder(dataDir: string, options: ExaminationOptions = {}): Promise<Examination> {
  const { catalogAdapter = 'pglite', hasKeySetting = false, withCatalog = true, say = () => {} } = options;
  say('folder');
  const missing = await missingParts({ dataDir, catalogAdapter, hasKeySetting });
  const folder = inspectFolder(dataDir, missing);
  say('broker');
  const broker = await inspectSessions(join(dataDir, 'broker', 'sessions.journal'));
  say('log');
  // One that is not there is told of with the folder.
  const log = isThere(dataDir, 'log') ? await inspectLog(join(dataDir, 'log')) : EMPTY_LOG;
  say('store');
  const found = await inspectStore(join(dataDir, 'store'));
  const compared = isThere(dataDir, 'log') ? comparePositions(dataDir, log, found) : [];
  const store = { ...found, findings: [...found.findings, ...compared] };
  say('sandbox');
  const sandboxes = await inspectSandboxes(dataDir);
  const inspections = [folder, broker, log, store, sandboxes];
  if (withCatalog) {
    say('catalog');
    const catalog = await inspectCatalog(join(dataDir, 'catalog'));
    const series = store.databaseSound ? await inspectSeries(join(dataDir, 'store')) : [];
    inspections.push({ ...catalog, findings: [...catalog.findings, ...compareSeries(dataDir, series, catalog)] });
  }
  return { dataDir, hasKeySetting, missing, inspections, log, store };
}

/** All findings of all parts. */
export function findingsOf({ inspections }: Examination): Finding[] {
  return inspections.flatMap(({ findings }) => findings);
}

function inspectFolder(dataDir: string, missing: readonly MissingPart[]): Inspection {
  const findings = [...missing.map(({ finding }) => finding), ...foreignParts(dataDir)];
  if (readInstallation(dataDir) === 'damaged') {
    const meaning = 'it does not say any more which installation this is, and which parts it has';
    const file = join(dataDir, INSTALLATION_FILE);
    findings.push({ file, place: null, meaning, remedy: 'the next start writes it anew', mend: 'restart' });
  }
  if (isThere(dataDir, 'key')) {
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
  if (isThere(dirname(dirname(file)), 'broker') && !existsSync(file)) {
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
