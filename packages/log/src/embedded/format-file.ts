/** The file `format` in the log's folder: the version of the layout and the number of partitions of each topic. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FieldlineError, makeDirectorySync, replaceFile } from '@fieldline/kit';
import type { TopicName, TopicSettings } from '../log.ts';
import { partitionFolder } from './embedded-reader.ts';

const FORMAT_VERSION = 1;

interface Format {
  readonly version: number;
  readonly partitions: Partial<Record<TopicName, number>>;
}

/**
 * Makes the folders that are missing and checks that the layout on disk fits. Rejects with FORMAT_TOO_NEW, or with
 * CONFIG_CONFLICT where a topic has another number of partitions: a device's records would no longer be in one.
 */
export async function prepareFolder(
  dir: string,
  topics: readonly (readonly [TopicName, TopicSettings])[],
): Promise<void> {
  makeDirectorySync(dir);
  const before = await readFormat(dir);
  const partitions: Partial<Record<TopicName, number>> = { ...before?.partitions };
  for (const [topic, settings] of topics) {
    const existing = before?.partitions[topic];
    if (existing !== undefined && existing !== settings.partitions) {
      const sentence = `log ${dir}: topic ${topic} has ${existing} partitions on disk, the settings say ${settings.partitions}; set it back to ${existing}`;
      throw new FieldlineError('CONFIG_CONFLICT', sentence, {
        details: { topic, existing, wanted: settings.partitions },
      });
    }
    if (existing !== undefined) continue;
    partitions[topic] = settings.partitions;
    for (let partition = 0; partition < settings.partitions; partition++) {
      makeDirectorySync(partitionFolder(dir, topic, partition));
    }
  }
  const isKnown = before !== null && topics.every(([topic]) => before.partitions[topic] !== undefined);
  if (!isKnown) await writeFormat(dir, { version: FORMAT_VERSION, partitions });
}

/** True where the text is what would be written for a log with these partitions. */
export function isWellFormed(text: string, partitions: ReadonlyMap<string, number>): boolean {
  const format = parseFormat(text);
  if (format === null || format.version !== FORMAT_VERSION || text !== textOf(format)) return false;
  const listed = Object.entries(format.partitions);
  return listed.length === partitions.size && listed.every(([topic, count]) => partitions.get(topic) === count);
}

async function readFormat(dir: string): Promise<Format | null> {
  const path = join(dir, 'format');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null;
    throw error;
  }
  const format = parseFormat(text);
  // The folders tell the same; the file is written anew.
  if (format === null) return null;
  if (format.version > FORMAT_VERSION) {
    const sentence = `log ${dir} has format ${format.version}, this program knows up to ${FORMAT_VERSION}; start the newer version`;
    throw new FieldlineError('FORMAT_TOO_NEW', sentence, { details: { path, version: format.version } });
  }
  return format;
}

function parseFormat(text: string): Format | null {
  try {
    const format = JSON.parse(text) as Partial<Format> | null;
    return typeof format?.version === 'number' && typeof format.partitions === 'object' ? (format as Format) : null;
  } catch {
    // A damaged file is the same as none: nothing is lost with it that the folders do not tell.
    return null;
  }
}

async function writeFormat(dir: string, format: Format): Promise<void> {
  const path = join(dir, 'format');
  await replaceFile(path, [Buffer.from(textOf(format))]);
}

function textOf(format: Format): string {
  return `${JSON.stringify(format)}\n`;
}
