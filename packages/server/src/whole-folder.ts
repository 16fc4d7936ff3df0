/**
 * What stands in the data folder belongs together, and nothing of it has got lost. In: the folder, which nobody else uses; out:
 * what is missing or that of another installation, as findings: a start refuses with the first, the doctor tells all.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FieldlineError, type Finding } from '@fieldline/kit';
import type { Config } from './config/schema.ts';
import {
  FOLDER_PARTS,
  type FolderPart,
  hasMarkFile,
  INSTALLATION_FILE,
  installationId,
  isThere,
  type KeptPart,
  MARK_FILE,
  markOf,
  readInstallation,
} from './installation-file.ts';

export interface WholeFolderOptions {
  readonly dataDir: string;
  /** Where the catalog is a PostgreSQL server, its folder is not missed. */
  readonly catalogAdapter: 'pglite' | 'postgres';
  /** Where the key is a setting, its file is not missed. */
  readonly hasKeySetting: boolean;
}

export interface MissingPart {
  readonly part: KeptPart;
  readonly finding: Finding;
}

const MADE_BY_A_SERVER = [
  INSTALLATION_FILE,
  'secret.key',
  'catalog/PG_VERSION',
  'log/format',
  'log/groups',
  'log/telemetry.raw',
  'store/store.duckdb',
  'store/sealed',
  'broker/sessions.journal',
];
const MOUNT = 'where it is a volume, mount it; else restore it from a backup';
const REPAIR = '`fieldline doctor --repair`';
const KEY_LOST =
  'restore it from a backup, or set catalog.secretKey to what it held; where it is lost for good, move the folder `catalog` away and run `fieldline doctor --repair`, which restores the catalog from its copy, with a new key';

/** Throws CONFIG_INVALID with what is missing, what that means, and what to do. */
export async function refuseHalfFolder(config: Config): Promise<void> {
  const options = optionsOf(config);
  const [first] = await missingParts(options);
  const finding = first?.finding ?? foreignParts(options.dataDir).find(({ mend }) => mend === 'none');
  if (finding === undefined) return;
  throw new FieldlineError('CONFIG_INVALID', `${finding.file}: ${finding.meaning}; ${finding.remedy}`, {
    details: { file: finding.file },
  });
}

export function optionsOf({ dataDir, catalog }: Pick<Config, 'dataDir' | 'catalog'>): WholeFolderOptions {
  return { dataDir, catalogAdapter: catalog.adapter, hasKeySetting: catalog.secretKey !== '' };
}

/** True where anything in it was made by a server. */
export function isDataFolder(dataDir: string): boolean {
  return (
    MADE_BY_A_SERVER.some((name) => existsSync(join(dataDir, name))) ||
    FOLDER_PARTS.some((part) => markOf(dataDir, part) !== null) ||
    hasCopies(dataDir)
  );
}

/** Parts that the folder has had, or must have had, and that are gone: no folder, or an empty one. */
export async function missingParts(options: WholeFolderOptions): Promise<MissingPart[]> {
  const { dataDir } = options;
  const missing: MissingPart[] = [];
  for (const part of expectedParts(options)) {
    if (!isThere(dataDir, part)) missing.push({ part, finding: await findingOf(dataDir, part) });
  }
  return missing;
}

/** Parts that say that they belong to another installation; and the file that says which this is, where it is damaged. */
export function foreignParts(dataDir: string): Finding[] {
  const id = installationId(dataDir);
  const findings: Finding[] = [];
  for (const part of FOLDER_PARTS) {
    const mark = markOf(dataDir, part);
    if (mark === null && hasMarkFile(dataDir, part)) findings.push(damagedMark(dataDir, part));
    if (mark === null || mark === id) continue;
    findings.push({
      file: join(dataDir, part),
      place: null,
      meaning: `it is that of another installation (${mark}, this one is ${id}): ids and positions in it mean something else there`,
      remedy: 'mount or restore the one that belongs here, or restore the whole data folder from one backup',
      mend: 'none',
    });
  }
  return findings;
}

function damagedMark(dataDir: string, part: FolderPart): Finding {
  const file = join(dataDir, part, MARK_FILE);
  const meaning = 'it does not say any more which installation this part belongs to';
  return { file, place: null, meaning, remedy: 'the next start writes it anew', mend: 'restart' };
}

function expectedParts({ dataDir, catalogAdapter, hasKeySetting }: WholeFolderOptions): KeptPart[] {
  const there = (part: KeptPart): boolean => isThere(dataDir, part);
  const embedded = catalogAdapter === 'pglite';
  const expected = new Set<KeptPart>(partsHad(dataDir));
  // Whatever was noted: a new catalog would give the numbers of its series to other devices, and a new key opens nothing.
  if (there('log') || there('store') || hasCopies(dataDir)) expected.add('catalog');
  if (embedded && there('catalog')) expected.add('key');
  if (!embedded) expected.delete('catalog');
  if (hasKeySetting || (embedded && !there('catalog'))) expected.delete('key');
  return [...FOLDER_PARTS, 'key' as const].filter((part) => expected.has(part));
}

function partsHad(dataDir: string): readonly KeptPart[] {
  const record = readInstallation(dataDir);
  if (record !== null && record !== 'damaged') return record.parts;
  // Parts know their installation, and the file that names all parts is gone.
  if (FOLDER_PARTS.some((part) => markOf(dataDir, part) !== null)) return ['catalog', 'log', 'store', 'broker'];
  // From before there was that file: a first start that was cut off may have left the catalog alone.
  return [];
}

async function findingOf(dataDir: string, part: KeptPart): Promise<Finding> {
  const file = join(dataDir, part === 'key' ? 'secret.key' : part);
  const what = existsSync(file) ? 'it is empty' : 'it is missing';
  const [means, remedy, mend] = part === 'catalog' ? await missingCatalog(file) : MISSING[part];
  return { file, place: null, meaning: `${what}: ${means}`, remedy, mend };
}

const MISSING: Readonly<Record<Exclude<FolderPart, 'catalog'> | 'key', readonly [string, string, Finding['mend']]>> = {
  log: [
    'records that were not stored yet, dead letters, and what replays read are lost with it',
    `${MOUNT}; ${REPAIR} lets a new log begin behind what is stored`,
    'anew',
  ],
  store: [
    'stored telemetry is lost with it, but for what the log still holds',
    `${MOUNT}; ${REPAIR} lets a new store begin, which takes from the log what is still there`,
    'log',
  ],
  broker: [
    'sessions, subscriptions, queued messages and retained topics of clients are lost with it',
    `${MOUNT}; ${REPAIR} lets it begin anew`,
    'anew',
  ],
  key: ['what is encrypted in the catalog cannot be read, and nobody could sign in', KEY_LOST, 'none'],
};

async function missingCatalog(file: string): Promise<readonly [string, string, Finding['mend']]> {
  const means = 'nothing says any more whose telemetry that is, and who may come in';
  // Much code, which only this needs.
  const { newestCopy, restoringFrom } = await import('@fieldline/catalog');
  const copy = await newestCopy(file);
  if (copy === null) return [means, `${MOUNT}; there is no copy of it (catalog.copies) that is whole`, 'none'];
  return [means, `where it is a volume, mount it; else ${restoringFrom(copy.takenAt)}`, 'copy'];
}

function hasCopies(dataDir: string): boolean {
  const folder = join(dataDir, 'catalog.copies');
  return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.copy'));
}
