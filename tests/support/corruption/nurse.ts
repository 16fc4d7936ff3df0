/**
 * Injured folders and the real program: a server on them, the doctor's repair, a server again. In: injuries of one whole
 * folder; out: whether a wrong value was ever told, and whether all samples were there in the end.
 */
import { rmSync } from 'node:fs';
import { DEFAULT_TOPIC_SETTINGS } from '@fieldline/log';
import { examineFolder, mendFolder } from '@fieldline/server';
import { fieldline } from '../command-line.ts';
import { startServer } from '../server-process.ts';
import { type Injury, inflict } from './injuries.ts';
import { compareAll, copyFolder, ENVIRONMENT, type KnownFolder, SAMPLES, type Truth } from './known-folder.ts';

export interface Nursed {
  /** Values that no device has sent, in all answers together. */
  readonly wrong: number;
  /** All samples were there in the end. */
  readonly isWhole: boolean;
  readonly needsRepair: boolean;
  /** The server did not start on the injured folder. */
  readonly refusal: boolean;
  /** What was answered or said, for a person. */
  readonly words: string;
}

/** Nothing; `fieldline doctor --repair`; or what that does, but for the catalog, within this process. */
export type MendingWay = 'none' | 'program' | 'within';

/** Of what the doctor says, its end: what was mended, and what was not. */
const WORDS_MAX = 1500;

/** A server, the doctor, and a server again. Removes the folder afterwards. */
export async function nurse(
  known: KnownFolder,
  injuries: readonly (Injury & { readonly from: string })[],
  dataDir: string,
  way: MendingWay,
): Promise<Nursed> {
  try {
    copyFolder(injuries[0]!.from, dataDir);
    for (const injury of injuries) inflict(dataDir, injury);
    const before = await serve(dataDir, known);
    if (way === 'none') return result([before], way);
    const doctor = (await mend(dataDir, way)).slice(-WORDS_MAX);
    const after = await serve(dataDir, known);
    return { ...result([before, after], way), words: JSON.stringify({ before, after, doctor }) };
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** What the doctor says of it. Its program reads every row of the catalog, too, which takes longer than all else. */
async function mend(dataDir: string, way: MendingWay): Promise<string> {
  if (way === 'program') return (await fieldline(['doctor', '--repair', '--data-dir', dataDir])).stdout;
  const examination = await examineFolder(dataDir, { withCatalog: false });
  const { done, notMended } = await mendFolder(examination, { ...DEFAULT_TOPIC_SETTINGS }, Date.now());
  return JSON.stringify({ done, notMended });
}

type Served = Truth | { readonly refused: string };

async function serve(dataDir: string, known: KnownFolder): Promise<Served> {
  try {
    const server = await startServer({ dataDir, environment: ENVIRONMENT });
    try {
      return await compareAll(server, known);
    } finally {
      await server.stop();
    }
  } catch (error) {
    return { refused: error instanceof Error ? error.message.slice(-WORDS_MAX) : String(error) };
  }
}

function result(answers: readonly Served[], way: MendingWay): Nursed {
  const last = answers.at(-1)!;
  return {
    wrong: answers.reduce((sum, answer) => sum + ('wrong' in answer ? answer.wrong : 0), 0),
    isWhole: 'equal' in last && last.equal === SAMPLES && last.wrong === 0,
    needsRepair: way !== 'none',
    refusal: 'refused' in answers[0]!,
    words: JSON.stringify(last),
  };
}
