/**
 * Looks at every byte of a log that nobody has open, and changes nothing: format, consumer positions, each segment's header
 * and chunks. Out: findings, and where each partition begins and ends.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Finding, type Inspection, isFieldlineError, messageOf } from '@fieldline/kit';
import type { Micros, Position } from '@fieldline/model';
import { type PartitionBounds, TOPICS, type TopicName } from '../log.ts';
import { groupsPath, partitionFolder } from './embedded-reader.ts';
import { isWellFormed } from './format-file.ts';
import { inspectGroupPositions } from './group-positions.ts';
import { type Recovery, recoverSegment } from './recover.ts';
import { listSegments, segmentPath } from './segment.ts';

export interface InspectedPartition extends PartitionBounds {
  readonly topic: TopicName;
  /** Latest received time before the oldest record that is kept; null where nothing was deleted, or it is not known. */
  readonly deletedBefore: Micros | null;
}

export interface LogInspection extends Inspection {
  readonly partitions: readonly InspectedPartition[];
}

const LOST = 'what the store has of them stays readable there; nothing else is lost';

/** Inspects the log's folder; one that is not there is empty. */
export async function inspectLog(dir: string): Promise<LogInspection> {
  const findings: Finding[] = [];
  const counts = { segments: 0, bytes: 0, records: 0, groups: 0 };
  const partitions: InspectedPartition[] = [];
  const folders = await partitionFolders(dir);
  if ((await stat(dir).catch(() => null)) === null) return { part: 'log', counts, findings, partitions };
  await inspectFormat(dir, folders, findings);
  const groups = await inspectGroups(dir, findings);
  counts.groups = groups?.count ?? 0;
  for (const { topic, partition } of folders) {
    const known = {
      begin: groups?.begin(topic, partition) ?? null,
      end: groups?.knownEnd(topic, partition) ?? 0,
      gapEnd: (from: Position) => groups?.gapEnd(topic, partition, from) ?? null,
    };
    const found = await inspectPartition(dir, topic, partition, known, findings);
    partitions.push(found.bounds);
    counts.segments += found.segments;
    counts.bytes += found.bounds.byteLength;
    counts.records += found.records;
  }
  return { part: 'log', counts, findings, partitions };
}

async function partitionFolders(dir: string): Promise<{ topic: TopicName; partition: number }[]> {
  const found: { topic: TopicName; partition: number }[] = [];
  for (const topic of TOPICS) {
    const names = await readdir(join(dir, topic)).catch(() => []);
    for (const name of names.sort()) if (/^\d+$/.test(name)) found.push({ topic, partition: Number(name) });
  }
  return found;
}

async function inspectFormat(
  dir: string,
  folders: readonly { topic: TopicName; partition: number }[],
  findings: Finding[],
): Promise<void> {
  const file = join(dir, 'format');
  const text = await readFile(file, 'utf8').catch(() => null);
  const partitions = new Map<string, number>();
  for (const { topic } of folders) partitions.set(topic, (partitions.get(topic) ?? 0) + 1);
  if (text !== null && isWellFormed(text, partitions)) return;
  findings.push({
    file,
    place: null,
    meaning:
      text === null
        ? 'it is missing'
        : 'it does not say what the folders beside it say, or was written by a newer version',
    remedy: 'nothing is lost with it: --repair has it written anew; do not, where a newer version wrote this folder',
    mend: 'log',
  });
}

type Groups = Awaited<ReturnType<typeof inspectGroupPositions>>;

async function inspectGroups(dir: string, findings: Finding[]): Promise<Groups | null> {
  const file = groupsPath(dir);
  if ((await stat(file).catch(() => null)) === null) {
    findings.push({
      file,
      place: null,
      meaning:
        'it is missing: consumers begin again, and records that are lost at an end or a beginning are not noticed',
      remedy: 'the next start, or --repair, writes it anew',
      mend: 'restart',
    });
    return null;
  }
  try {
    const groups = await inspectGroupPositions(file);
    for (const place of groups.damage) {
      findings.push({
        file,
        place,
        meaning: 'positions of consumers are lost: events may be told again',
        remedy: 'the next start, or --repair, goes on with the intact ones and keeps the file aside',
        mend: 'restart',
      });
    }
    const { tornBytes } = groups;
    if (tornBytes > 0)
      findings.push(tornEnd(file, tornBytes, 'what was cut off there is lost, or was never confirmed'));
    return groups;
  } catch (error) {
    const remedy = isFieldlineError(error, 'FORMAT_TOO_NEW') ? 'start the newer version' : 'restore it from a backup';
    findings.push({ file, place: null, meaning: messageOf(error), remedy, mend: 'none' });
    return null;
  }
}

function tornEnd(file: string, byteLength: number, meaning: string): Finding {
  return {
    file,
    place: `the last ${byteLength} bytes`,
    meaning: `the end is torn; ${meaning}`,
    remedy: 'the next start, or --repair, cuts it off',
    mend: 'restart',
  };
}

async function inspectPartition(
  dir: string,
  topic: TopicName,
  partition: number,
  known: {
    readonly begin: Position | null;
    readonly end: Position;
    readonly gapEnd: (from: Position) => Position | null;
  },
  findings: Finding[],
): Promise<{ bounds: InspectedPartition; segments: number; records: number }> {
  const folder = partitionFolder(dir, topic, partition);
  const firsts = await listSegments(folder);
  let byteLength = 0;
  let records = 0;
  let end: Position = firsts[0] ?? 0;
  let isEndSure = true;
  let deletedBefore: Micros | null = null;
  const isBeginLost = known.begin !== null && firsts.length > 0 && firsts[0]! > known.begin;
  if (isBeginLost && known.gapEnd(known.begin) !== firsts[0]) {
    findings.push(lostFile(segmentPath(folder, known.begin), known.begin, firsts[0]!));
  }
  for (const [index, first] of firsts.entries()) {
    const path = segmentPath(folder, first);
    const recovery = await recoverOrTell(path, first, findings);
    if (recovery === null) continue;
    if (index === 0) deletedBefore = finiteOrNull(recovery.header?.timeMaxBefore);
    const previousEnd = recovery.header?.previousEnd ?? first;
    if (index > 0 && isEndSure && end < previousEnd)
      findings.push(missing(folder, firsts[index - 1]!, end, previousEnd));
    tellDamage(path, recovery, index === firsts.length - 1, findings);
    byteLength += recovery.byteLength;
    records += recovery.recordCount;
    isEndSure = recovery.damage.every(({ to }) => to !== null);
    end = Math.max(end, recovery.nextUnused);
  }
  if (isEndSure && end < known.end && known.gapEnd(end) !== known.end) {
    const newest = firsts.at(-1);
    const first = known.begin ?? 0;
    findings.push(
      newest === undefined
        ? lostFile(segmentPath(folder, first), first, known.end)
        : missing(folder, newest, end, known.end),
    );
  }
  const bounds = { topic, partition, first: firsts[0] ?? 0, next: Math.max(end, known.end), byteLength, deletedBefore };
  return { bounds, segments: firsts.length, records };
}

async function recoverOrTell(path: string, first: Position, findings: Finding[]): Promise<Recovery | null> {
  try {
    return await recoverSegment(path, first);
  } catch (error) {
    const remedy = isFieldlineError(error, 'FORMAT_TOO_NEW') ? 'start the newer version' : 'check the disk';
    findings.push({ file: path, place: null, meaning: messageOf(error), remedy, mend: 'none' });
    return null;
  }
}

function tellDamage(path: string, recovery: Recovery, isNewest: boolean, findings: Finding[]): void {
  for (const { byteOffset, byteLength, reason, from, to } of recovery.damage) {
    findings.push({
      file: path,
      place: `bytes ${byteOffset} to ${byteOffset + byteLength - 1}`,
      meaning:
        from === to
          ? `${reason}; its records are intact`
          : `${reason}: records ${from} to ${to === null ? 'the end' : to - 1} are lost for a replay; ${LOST}`,
      remedy: 'readers pass it over; restore the file from a backup, or leave it: retention deletes it in time',
      mend: 'none',
    });
  }
  const last = recovery.damage.at(-1);
  const toldEnd = Math.max(recovery.intactEnd, last === undefined ? 0 : last.byteOffset + last.byteLength);
  const torn = recovery.byteLength - toldEnd;
  if (torn <= 0) return;
  if (isNewest)
    findings.push(
      tornEnd(path, torn, `records from ${recovery.end} on in it were never acknowledged, or are told of below`),
    );
  else {
    findings.push({
      file: path,
      place: `bytes ${recovery.intactEnd} to ${recovery.byteLength - 1}`,
      meaning: `records from ${recovery.end} on in this file are cut off; ${LOST}`,
      remedy: 'readers pass it over; restore the file from a backup, or leave it: retention deletes it in time',
      mend: 'none',
    });
  }
}

function missing(folder: string, before: Position, from: Position, to: Position): Finding {
  return {
    file: segmentPath(folder, before),
    place: `records ${from} to ${to - 1}`,
    meaning: `they are missing at its end: it was cut off, or ${segmentPath(folder, from)} is lost; ${LOST}`,
    remedy: 'restore it from a backup, or leave it: the log goes on behind them',
    mend: 'none',
  };
}

function lostFile(file: string, from: Position, to: Position): Finding {
  return {
    file,
    place: `records ${from} to ${to - 1}`,
    meaning: `they are missing, and retention has not deleted them: the file is lost; ${LOST}`,
    remedy: 'restore it from a backup, or leave it: readers begin behind them',
    mend: 'none',
  };
}

function finiteOrNull(time: number | undefined): number | null {
  return time !== undefined && Number.isFinite(time) ? time : null;
}
