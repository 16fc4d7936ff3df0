/**
 * Mends what an examination has found, as far as the log and what is intact allow. Nothing is deleted: what is damaged goes to
 * `<data folder>/set-aside/<time>`. Out: what was done, and what could not be, in sentences.
 */
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { restoreCatalog } from '@fieldline/catalog';
import { type Inspection, makeDirectorySync, openJournal } from '@fieldline/kit';
import { openEmbeddedLog, type TopicName, type TopicSettings } from '@fieldline/log';
import { repairStore } from '@fieldline/store';
import { EVENTS_GROUP } from '../events-consumer.ts';
import { type KeptPart, noteParts } from '../installation-file.ts';
import { hasSecretKeyFile, makeSecretKey } from '../secret-key.ts';
import { endOf, positionsAhead } from './compare-parts.ts';
import { type DoctorPart, type Examination, findingsOf } from './examine-folder.ts';
import { mendSandboxes } from './inspect-sandboxes.ts';

export interface Mending {
  readonly done: readonly string[];
  readonly notMended: readonly string[];
}

/** The server must not run: the caller holds the folder's lock. */
export async function mendFolder(
  examination: Examination,
  topics: Record<TopicName, TopicSettings>,
  nowMs: number,
): Promise<Mending> {
  const { dataDir } = examination;
  const asideDir = join(dataDir, 'set-aside', new Date(nowMs).toISOString().replaceAll(':', '-'));
  const done = [
    ...(await mendSessions(examination)),
    ...(await mendLog(examination, topics, asideDir)),
    ...mendSandboxes(partOf(examination, 'sandbox'), asideDir),
    ...(await mendCatalog(examination, topics, asideDir)),
    ...leftToStart(examination),
  ];
  const notMended = findingsOf(examination)
    .filter(({ mend }) => mend === 'none')
    .map(({ file, place, meaning }) => `${file}${place === null ? '' : `, ${place}`}: ${meaning}`);
  const store = await mendStore(examination, asideDir);
  // What is let begin anew, or made again from elsewhere, is missed no more.
  const given = examination.missing.filter(({ finding }) => finding.mend !== 'none').map(({ part }) => part);
  noteParts(dataDir, given);
  return { done: [...done, ...store.done], notMended: [...notMended, ...store.notMended] };
}

function isMissing({ missing }: Examination, part: KeptPart): boolean {
  return missing.some((each) => each.part === part);
}

function partOf({ inspections }: Examination, part: DoctorPart): Inspection {
  return inspections.find((each) => each.part === part)!;
}

/** The catalog is not opened for what its next start does by itself. */
function leftToStart({ dataDir, inspections }: Examination): string[] {
  const catalog = inspections.find(({ part }) => part === 'catalog');
  if (catalog === undefined || catalog.findings.some(({ mend }) => mend === 'copy')) return [];
  return catalog.findings
    .filter(({ file, mend }) => mend === 'restart' && dirname(file) !== join(dataDir, 'catalog.copies'))
    .map(({ file, place }) => `${file}${place === null ? '' : `, ${place}`}: left to the next start, which mends it`);
}

/** Opening the journal cuts a torn end off, or writes what is intact anew and keeps the damaged file beside it. */
async function mendSessions(examination: Examination): Promise<string[]> {
  const { dataDir } = examination;
  const findings = partOf(examination, 'broker').findings.filter(({ mend }) => mend === 'restart');
  if (findings.length === 0 && !isMissing(examination, 'broker')) return [];
  const path = join(dataDir, 'broker', 'sessions.journal');
  const wasThere = existsSync(path);
  makeDirectorySync(dirname(path));
  const { journal, damage } = await openJournal(path);
  await journal.close();
  if (!wasThere) return [`${path}: begun anew`];
  return damage.length === 0 ? [`${path}: the torn end was cut off`] : [...damage];
}

/** Opening the log does the same for its segments and its consumers' positions. */
async function mendLog(
  examination: Examination,
  topics: Record<TopicName, TopicSettings>,
  asideDir: string,
): Promise<string[]> {
  const { dataDir, log, store } = examination;
  const findings = log.findings.filter(({ mend }) => mend !== 'none');
  const ahead = positionsAhead(log, store);
  if (findings.length === 0 && !isMissing(examination, 'log') && ahead.length === 0) return [];
  const dir = join(dataDir, 'log');
  const done: string[] = [];
  const format = join(dir, 'format');
  if (findings.some(({ file }) => file === format)) {
    if (existsSync(format)) {
      makeDirectorySync(join(asideDir, 'log'));
      await rename(format, join(asideDir, 'log', 'format'));
      done.push(`moved ${format} to ${join(asideDir, 'log', 'format')}`);
    }
    done.push(`${format}: written anew`);
  }
  if (isMissing(examination, 'log')) done.push(`${dir}: begun anew`);
  const opened = await openEmbeddedLog({ dir, topics });
  for (const stored of ahead) {
    const { topic, partition, next } = stored;
    await opened.advance(topic as TopicName, partition, next);
    done.push(
      `${join(dir, topic, String(partition))}: goes on at record ${next}; that records ${endOf(log, stored)} to ${next - 1}, which the store has read, are not in it is accepted`,
    );
  }
  await opened.close();
  for (const { file, place } of findings)
    if (file !== format) done.push(`${file}, ${place}: cut off, or kept aside and passed over`);
  return done;
}

/** From the newest copy that the catalog has made of itself; what is not in there comes from the log again, or is said to be lost. */
async function mendCatalog(
  examination: Examination,
  topics: Record<TopicName, TopicSettings>,
  asideDir: string,
): Promise<string[]> {
  const { dataDir, hasKeySetting } = examination;
  const done: string[] = [];
  const folder = join(dataDir, 'catalog');
  for (const { file } of findingsOf(examination).filter((finding) => dirname(finding.file) === `${folder}.copies`)) {
    makeDirectorySync(asideDir);
    await rename(file, join(asideDir, basename(file)));
    done.push(`moved ${file} to ${asideDir}`);
  }
  if (!findingsOf(examination).some(({ mend }) => mend === 'copy')) return done;
  const { takenAt } = await restoreCatalog(folder, asideDir);
  if (!hasKeySetting && !hasSecretKeyFile(dataDir)) {
    makeSecretKey(dataDir);
    done.push(`${join(dataDir, 'secret.key')}: made anew; a copy holds nothing that the one before has encrypted`);
  }
  await readEventsAgain(join(dataDir, 'log'), topics);
  return [
    ...done,
    `catalog: restored from its copy of ${takenAt}; what was there is in ${asideDir}`,
    `catalog: what was configured after ${takenAt} is missing, and what was revoked after it is valid again: look through devices, users and API keys`,
    'catalog: everybody signs in again; events come again from the log, as far as it reaches; receipts of HTTP ingest are gone',
  ];
}

async function readEventsAgain(dir: string, topics: Record<TopicName, TopicSettings>): Promise<void> {
  const log = await openEmbeddedLog({ dir, topics });
  try {
    for (const { partition } of await log.bounds('events'))
      await log.commitPosition(EVENTS_GROUP, 'events', partition, 0);
  } finally {
    await log.close();
  }
}

async function mendStore(examination: Examination, asideDir: string): Promise<Mending> {
  const { dataDir, log, store } = examination;
  const oldestOf = (topic: string, partition: number): number =>
    log.partitions.find((each) => each.topic === topic && each.partition === partition)?.first ?? 0;
  const dir = join(dataDir, 'store');
  const { done, fromLog, unreadable, isNew } = isMissing(examination, 'store')
    ? {
        done: [`${dir}: the next start begins it anew, from the log’s oldest record`],
        fromLog: [],
        unreadable: [],
        isNew: true,
      }
    : await repairStore({ dir, asideDir, oldestOf }, store);
  const notMended = unreadable.map((what) => `store/sealed/${what}; the log brings again what it still holds of it`);
  const raw = log.partitions.find(({ topic }) => topic === 'telemetry.raw');
  if (raw !== undefined && raw.first === 0) return { done, notMended };
  const limit =
    raw?.deletedBefore == null
      ? 'the log does not reach back to the beginning'
      : `the log does not hold records received before ${new Date(raw.deletedBefore / 1000).toISOString()}`;
  for (const file of fromLog) {
    const [from, to] = [file.minTime, file.maxTime].map((time) => new Date(time / 1000).toISOString());
    notMended.push(`${file.rowCount} samples of ${from} to ${to} (${file.path}): ${limit}; what came before is lost`);
  }
  if (isNew)
    notMended.push(`store: ${limit}; older samples that were in no sealed file that could be taken over are lost`);
  return { done, notMended };
}
