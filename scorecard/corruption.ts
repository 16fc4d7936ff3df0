/**
 * Line 8: injuries at random places of log, store, sealed files, sessions and catalog of a folder whose every sample is known.
 * Each alone is looked at as the doctor does, and read as log, store and broker read: it is named, or changes nothing, and never is
 * anything else given out than was written. Then real servers run on injured folders (on all whose injury was not named), before
 * and after `fieldline doctor --repair`: never a wrong value, and in the end all samples again. Of one folder retention has deleted
 * the older half of the log: there the store alone has those samples, and must keep them.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@fieldline/kit';
import type { Examined } from '../tests/support/corruption/examine.process.ts';
import { examineAll } from '../tests/support/corruption/examine-all.ts';
import { chooseInjury, type Injury } from '../tests/support/corruption/injuries.ts';
import { type KnownFolder, makeKnownFolder, SAMPLES } from '../tests/support/corruption/known-folder.ts';
import { type MendingWay, type Nursed, nurse } from '../tests/support/corruption/nurse.ts';
import { seedOfRun } from '../tests/support/seed.ts';
import { temporaryFolder } from '../tests/support/server-process.ts';
import type { Form, Outcome, ScorecardLine } from './line.ts';

const COUNTS: Readonly<Record<Form, number>> = { short: 60, long: 1000 };
/** How many groups of each lane are given to servers; those of injuries that were not named all are. */
const GROUPS: Readonly<Record<Form, Readonly<Record<Lane, number>>>> = {
  short: { unnamed: 1000, log: 2, sealed: 2, store: 3, catalog: 2, trimmed: 2 },
  long: { unnamed: 1000, log: 12, sealed: 12, store: 20, catalog: 20, trimmed: 20 },
};
/** Files of one folder that are injured at the same time; a damaged database hides what is beside it. */
const FILES_PER_GROUP: Readonly<Record<Lane, number>> = {
  unnamed: 5,
  log: 5,
  sealed: 4,
  store: 1,
  catalog: 1,
  trimmed: 1,
};
/** The doctor's program mends every so-manieth folder, and all with a damaged catalog; the others its functions. */
const PROGRAM_EVERY = 4;
/** Every so-manieth injury is one of the trimmed folder. */
const TRIMMED_EVERY = 5;
const SERVERS_AT_ONCE = Math.min(2, availableParallelism());

type Lane = 'unnamed' | 'log' | 'sealed' | 'store' | 'catalog' | 'trimmed';

export const corruption: ScorecardLine = {
  number: 8,
  what: 'corruption',
  must: 'found every time, never served as truth, the rest readable',
  async run(form, say) {
    const folder = temporaryFolder('corruption');
    const known = await makeKnownFolder(folder.path, { withTrimmed: true });
    const seed = seedOfRun();
    const injuries = Array.from({ length: COUNTS[form] }, (_, index) => injuryOf(known, seed * 1000 + index));
    say(`seed ${seed}; ${SAMPLES} known samples`);
    const tally = new Tally(say);
    const examined = await examineAll(injuries, join(folder.path, 'examined'), (done) => {
      if (done % 100 === 0) say(`${done} injuries examined`);
    });
    for (const [index, result] of examined.entries()) tally.examined(injuries[index]!, result);
    const groups = chooseGroups(injuries, examined, form);
    say(`${tally.named} of ${injuries.length} named; servers start on ${groups.length} folders`);
    await eachOf(groups, SERVERS_AT_ONCE, async ({ lane, injuries: together }, index) => {
      const way = wayOf(lane, index);
      const nursed = await nurse(known, together, join(folder.path, `patient-${index}`), way);
      if (isWell(nursed) || together.length === 1) return tally.nursed(together, nursed);
      // Which of them it was.
      for (const one of together) {
        const alone = await nurse(known, [one], join(folder.path, `patient-${index}`), way);
        tally.nursed([one], alone);
      }
    });
    if (tally.findings.length === 0) folder.remove();
    return tally.outcome(injuries.length);
  },
};

/** Known by the seed alone. */
export interface SeededInjury extends Injury {
  readonly seed: number;
  /** The whole folder that it is an injury of. */
  readonly from: string;
  /** Kinds of injuries that were chosen from. */
  readonly only: string;
  readonly isTrimmed: boolean;
}

/** Of a trimmed folder the database: with a sealed file, or a record that is not stored yet, something is lost for good. */
function injuryOf({ killed, stopped, trimmed }: KnownFolder, seed: number): SeededInjury {
  const isTrimmed = trimmed !== null && seed % TRIMMED_EVERY === 0;
  const from = isTrimmed ? trimmed : seed % 2 === 0 ? killed : stopped;
  const only = isTrimmed ? 'store' : '';
  return { ...chooseInjury(from, seededRandom(seed), only), seed, from, only, isTrimmed };
}

interface Group {
  readonly lane: Lane;
  readonly injuries: readonly SeededInjury[];
}

/** Injuries of different files of one folder, together. */
function chooseGroups(injuries: readonly SeededInjury[], examined: readonly Examined[], form: Form): Group[] {
  const open = new Map<string, SeededInjury[]>();
  const groups: { lane: Lane; injuries: SeededInjury[] }[] = [];
  for (const [index, injury] of injuries.entries()) {
    const lane = examined[index]!.isNamed ? laneOf(injury) : 'unnamed';
    const key = `${lane} ${injury.from}`;
    const group = open.get(key);
    const isTaken = group === undefined || group.some(({ file }) => file === injury.file);
    if (!isTaken && group.length < FILES_PER_GROUP[lane]) {
      group.push(injury);
      continue;
    }
    const next = [injury];
    open.set(key, next);
    groups.push({ lane, injuries: next });
  }
  const left = { ...GROUPS[form] };
  return groups.filter(({ lane }) => left[lane]-- > 0);
}

function wayOf(lane: Lane, index: number): MendingWay {
  if (lane === 'unnamed') return 'none';
  return lane === 'catalog' || index % PROGRAM_EVERY === 0 ? 'program' : 'within';
}

function laneOf({ kind, isTrimmed }: SeededInjury): Lane {
  if (isTrimmed) return 'trimmed';
  if (kind.startsWith('catalog')) return 'catalog';
  if (kind === 'sealed') return 'sealed';
  return kind.startsWith('store') ? 'store' : 'log';
}

function isWell({ wrong, isWhole }: Nursed): boolean {
  return wrong === 0 && isWhole;
}

/** Runs the work for all items, so many at the same time, in their order. */
async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const entries = items.entries();
  const lanes = Array.from({ length: atOnce }, async () => {
    for (const [index, item] of entries) await work(item, index);
  });
  await Promise.all(lanes);
}

class Tally {
  readonly findings: string[] = [];
  readonly #say: (line: string) => void;
  readonly #counts = { named: 0, servers: 0, refused: 0, tried: 0, harmless: 0, whole: 0, wrong: 0 };

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  get named(): number {
    return this.#counts.named;
  }

  examined(injury: SeededInjury, { isNamed, amiss }: Examined): void {
    if (isNamed) this.#counts.named += 1;
    if (amiss !== null) this.#amiss([injury], amiss);
  }

  nursed(injuries: readonly SeededInjury[], { refusal, wrong, isWhole, needsRepair, words }: Nursed): void {
    const counts = this.#counts;
    counts.servers += 1;
    counts.tried += injuries.length;
    counts.wrong += wrong;
    if (refusal) counts.refused += 1;
    if (wrong > 0) this.#amiss(injuries, `${wrong} wrong values: ${words}`);
    if (isWhole) counts[needsRepair ? 'whole' : 'harmless'] += injuries.length;
    else
      this.#amiss(injuries, `not whole ${needsRepair ? 'after the repair' : 'although nothing was named'}: ${words}`);
  }

  outcome(count: number): Outcome {
    const { named, servers, refused, tried, harmless, whole, wrong } = this.#counts;
    return {
      passed: this.findings.length === 0,
      figure:
        `${named} of ${count} named by the doctor; servers on ${servers} folders with ${tried} of the injuries: ${wrong} wrong values, ` +
        `${refused} refused to start; all ${SAMPLES} samples again after a repair of ${whole}, and without one at ${harmless}`,
      findings: this.findings,
    };
  }

  #amiss(injuries: readonly SeededInjury[], what: string): void {
    const named = injuries.map(({ kind, file, what: how, seed }) => `${kind}: ${file}, ${how} (seed ${seed})`);
    const sentence = `${named.join(' and ')}: ${what}`;
    this.findings.push(sentence);
    this.#say(sentence);
  }
}
