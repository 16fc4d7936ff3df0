/**
 * What log, store and sessions of a whole folder give out, read by their own code, and the comparison with what they give out of
 * an injured one: nothing else than before, and all that no finding says to be lost.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding, messageOf, openJournal } from '@fieldline/kit';
import { DEFAULT_TOPIC_SETTINGS, openEmbeddedLog, TOPICS } from '@fieldline/log';
import { originOf, payloadOf } from '@fieldline/model';
import { openDuckdbStore } from '@fieldline/store';
import type { Injury } from './injuries.ts';

/** Key → value, both as text. */
type Reading = ReadonlyMap<string, string>;
type Part = 'log' | 'store' | 'broker';

const READERS: Readonly<Record<Part, (dir: string) => Promise<Reading>>> = {
  log: readLog,
  store: readStore,
  broker: readSessions,
};
/** Each question tells of one damaged file; there is one at most. */
const QUESTIONS = 2;
const ALL_TIME = { from: 0, to: 9e15 };

export class Readings {
  readonly #whole: Readonly<Record<Part, Reading>>;
  readonly #workDir: string;

  private constructor(whole: Readonly<Record<Part, Reading>>, workDir: string) {
    this.#whole = whole;
    this.#workDir = workDir;
  }

  static async of(folder: string, workDir: string): Promise<Readings> {
    const read = (part: Part): Promise<Reading> => readCopy(folder, part, workDir);
    return new Readings({ log: await read('log'), store: await read('store'), broker: await read('broker') }, workDir);
  }

  /** Reads the part that was injured; what is amiss in words, or null. A part that refuses to open gives out nothing wrong. */
  async compare(dataDir: string, { file }: Injury, told: readonly Finding[]): Promise<string | null> {
    const part = file.split('/')[0] as Part;
    if (!(part in READERS)) return null;
    let found: Reading;
    try {
      found = await readCopy(dataDir, part, this.#workDir);
    } catch (error) {
      return told.length > 0 ? null : `the ${part} cannot be read, and nothing is told: ${messageOf(error)}`;
    }
    const whole = this.#whole[part];
    for (const [key, value] of found) {
      if (whole.get(key) !== value)
        return `the ${part} gives out ${key} = ${value.slice(0, 60)}: that was never written`;
    }
    const missing = [...whole.keys()].filter((key) => !found.has(key));
    // A store that says nothing reads the log from where it stands: the server that runs on it shows whether that brings all.
    if (part === 'store' && told.length === 0) return null;
    const untold = missing.filter((key) => !isTold(part, key, file, told));
    return untold.length === 0
      ? null
      : `${untold.length} of the ${part} are not given out, and nothing says so: ${untold[0]}`;
  }
}

/** Records are named by their positions. Samples are lost as far as their file, or the database, is named; so are journal records. */
function isTold(part: Part, key: string, file: string, told: readonly Finding[]): boolean {
  if (part !== 'log' || file.endsWith('groups') || file.endsWith('format')) return told.length > 0;
  const position = Number(key.split(' ')[1]);
  return told.some(({ place, meaning }) => {
    const text = `${place} ${meaning}`;
    const ranges = [...text.matchAll(/records (\d+) to (\d+|the end)/g)].map(([, from, to]) => [
      Number(from),
      Number(to),
    ]);
    const open = [...text.matchAll(/records from (\d+) on/g)].map(([, from]) => [Number(from), Number.NaN]);
    return [...ranges, ...open].some(([from, to]) => position >= from! && !(position > to!));
  });
}

async function readCopy(folder: string, part: Part, workDir: string): Promise<Reading> {
  const dir = join(workDir, part);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(workDir, { recursive: true });
  cpSync(join(folder, part), dir, { recursive: true });
  return READERS[part](dir);
}

async function readLog(dir: string): Promise<Reading> {
  const found = new Map<string, string>();
  const log = await openEmbeddedLog({ dir, topics: DEFAULT_TOPIC_SETTINGS });
  try {
    for (const topic of TOPICS) {
      const [bounds] = await log.bounds(topic);
      for (let next = bounds!.first; ; ) {
        const batch = await log.read(topic, 0, next);
        if (batch === null) break;
        for (let index = 0; index < batch.count; index++) {
          const { deviceId, topic: from } = originOf(batch, index);
          const payload = Buffer.from(payloadOf(batch, index)).toString('latin1');
          found.set(
            `${topic} ${batch.firstPosition + index}`,
            `${batch.receivedTime[index]} ${deviceId} ${from} ${payload}`,
          );
        }
        next = batch.firstPosition + batch.count;
      }
    }
  } finally {
    await log.close();
  }
  return found;
}

async function readStore(dir: string): Promise<Reading> {
  const found = new Map<string, string>();
  const store = await openDuckdbStore({ dir, sealAfterMs: 1e12 });
  try {
    const seriesIds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    const query = { seriesIds, ...ALL_TIME, limit: 1e6 };
    let columns: Awaited<ReturnType<typeof store.readRaw>> | null = null;
    for (let question = 1; columns === null; question++) {
      columns = await store.readRaw(query).catch((error: unknown) => {
        if (question > QUESTIONS) throw error;
        return null;
      });
    }
    for (const { seriesId, sourceTime, receivedTime, value, quality, texts } of columns) {
      for (let row = 0; row < sourceTime.length; row++) {
        const text = texts?.get(row) ?? value[row];
        found.set(`sample ${seriesId}/${sourceTime[row]}`, `${text} ${quality[row]} ${receivedTime[row]}`);
      }
    }
  } finally {
    await store.close();
  }
  return found;
}

async function readSessions(dir: string): Promise<Reading> {
  const { journal, records } = await openJournal(join(dir, 'sessions.journal'));
  await journal.close();
  // A record that stands there twice, since a block does, is applied again: the finding tells of it, and it was written once.
  return new Map(records.map((record) => Buffer.from(record).toString('latin1')).map((text) => [text, text]));
}
