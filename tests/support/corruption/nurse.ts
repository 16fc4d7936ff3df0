/**
 * Injured folders and the real program: a server on them, `fieldline doctor --repair`, a server again. In: injuries of one whole
 * folder; out: whether a wrong value was ever told, and whether all samples were there in the end.
 */
import { rmSync } from 'node:fs';
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

/** Of what the doctor says, its end: what was mended, and what was not. */
const WORDS_MAX = 1500;

/** `needsRepair`: the doctor mends the folder, then a server runs on it again. Removes the folder afterwards. */
export async function nurse(
  known: KnownFolder,
  injuries: readonly (Injury & { readonly from: string })[],
  dataDir: string,
  needsRepair: boolean,
): Promise<Nursed> {
  try {
    copyFolder(injuries[0]!.from, dataDir);
    for (const injury of injuries) inflict(dataDir, injury);
    const before = await serve(dataDir, known);
    if (!needsRepair) return result([before], needsRepair);
    const doctor = await fieldline(['doctor', '--repair', '--data-dir', dataDir]);
    const after = await serve(dataDir, known);
    return {
      ...result([before, after], needsRepair),
      words: JSON.stringify({ before, after, doctor: doctor.stdout.slice(-WORDS_MAX) }),
    };
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
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
    return { refused: error instanceof Error ? error.message.slice(-1500) : String(error) };
  }
}

function result(answers: readonly Served[], needsRepair: boolean): Nursed {
  const last = answers.at(-1)!;
  return {
    wrong: answers.reduce((sum, answer) => sum + ('wrong' in answer ? answer.wrong : 0), 0),
    isWhole: 'equal' in last && last.equal === SAMPLES && last.wrong === 0,
    needsRepair,
    refusal: 'refused' in answers[0]!,
    words: JSON.stringify(last),
  };
}
