/**
 * A process that injures its own copy of a known folder, one injury after the other, and looks at each as the doctor does and as
 * log, store and broker read. In: injuries by their seed; out: whether each was named, and what was amiss. A fresh file each time.
 */
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inspectCatalog } from '@fieldline/catalog';
import type { Finding } from '@fieldline/kit';
import { seededRandom } from '@fieldline/kit';
import { examineFolder, findingsOf } from '@fieldline/server';
import { chooseInjury, type Injury, inflict } from './injuries.ts';
import { copyFolder } from './known-folder.ts';
import { Readings } from './readings.ts';

export interface ExaminationJob {
  /** A folder that is whole, and stays so. */
  readonly from: string;
  /** Where this process may work. */
  readonly workDir: string;
  readonly seed: number;
  /** Kinds of injuries: those whose name begins so. */
  readonly only: string;
}

export interface Examined {
  readonly seed: number;
  /** A finding names the injured file, and says what to do. */
  readonly isNamed: boolean;
  /** What the part gave out that it must not, or did not give out although it is intact; null where all was well. */
  readonly amiss: string | null;
}

const readings = new Map<string, Promise<Readings>>();

process.on('message', (job: ExaminationJob) => {
  void examine(job).then((examined) => process.send!(examined));
});

async function examine({ from, workDir, seed, only }: ExaminationJob): Promise<Examined> {
  const dataDir = join(workDir, 'patient', from.replaceAll('/', '-'));
  let known = readings.get(from);
  if (known === undefined) {
    mkdirSync(join(workDir, 'patient'), { recursive: true });
    copyFolder(from, dataDir);
    known = Readings.of(from, join(workDir, 'read'));
    readings.set(from, known);
  }
  const injury = chooseInjury(from, seededRandom(seed), only);
  inflict(dataDir, injury);
  try {
    const findings = await findingsAt(dataDir, injury);
    const told = findings.filter((finding) => isAbout(finding, join(dataDir, injury.file)));
    return { seed, isNamed: told.length > 0, amiss: await (await known).compare(dataDir, injury, told) };
  } finally {
    rmSync(join(dataDir, injury.file), { force: true });
    copyFileSync(join(from, injury.file), join(dataDir, injury.file));
  }
}

/** The catalog is started on a copy, which takes seconds, only where its files alone do not tell. */
async function findingsAt(dataDir: string, { kind, file }: Injury): Promise<readonly Finding[]> {
  if (!kind.startsWith('catalog')) return findingsOf(await examineFolder(dataDir, { withCatalog: false }));
  const folder = join(dataDir, 'catalog');
  const { findings } = await inspectCatalog(folder, { reading: false });
  if (findings.some((finding) => isAbout(finding, join(dataDir, file)))) return findings;
  return (await inspectCatalog(folder)).findings;
}

/** A finding names the file, or the folder that it is missing from: PostgreSQL does not tell the file of all that it misses. */
function isAbout({ file, place, meaning, remedy }: Finding, injured: string): boolean {
  const isNamed = file === injured || injured.startsWith(`${file}/`) || `${place} ${meaning}`.includes(injured);
  return isNamed && remedy !== '';
}
