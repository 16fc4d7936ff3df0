/**
 * Line 8: a flipped bit or a truncation at random places of log, store, sealed files, sessions and catalog, each on a fresh copy
 * of a folder whose every sample is known. The doctor must find it and name the file, or all reads must be equal; a server that
 * is started on it must never tell a wrong value; and after `fieldline doctor --repair` it must tell all of them again.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { examineFolder, findingsOf } from '@fieldline/server';
import { fieldline } from '../tests/support/command-line.ts';
import { type Injury, injure, random } from '../tests/support/corruption/injuries.ts';
import {
  compareAll,
  copyFolder,
  ENVIRONMENT,
  type KnownFolder,
  makeKnownFolder,
  SAMPLES,
  type Truth,
} from '../tests/support/corruption/known-folder.ts';
import { startServer, temporaryFolder } from '../tests/support/server-process.ts';
import type { Outcome, ScorecardLine } from './line.ts';

/** In the short form the server is started on each injury that was not found, and on every so-manieth that was. */
const SHORT_SERVER_EVERY = 20;

export const corruption: ScorecardLine = {
  number: 8,
  what: 'corruption',
  must: 'found every time, never served as truth, the rest readable',
  async run(form, say) {
    const folder = temporaryFolder('corruption');
    const known = await makeKnownFolder(folder.path);
    const seed = Date.now() % 1_000_000;
    say(`seed ${seed}; ${SAMPLES} known samples`);
    const count = form === 'long' ? 1000 : 60;
    const tally = new Tally();
    for (let index = 0; index < count; index++) {
      const chance = random(seed * 1000 + index);
      const dataDir = join(folder.path, 'injured');
      copyFolder(chance() < 0.5 ? known.killed : known.stopped, dataDir);
      const injury = injure(dataDir, chance);
      const withServer = form === 'long' || index % SHORT_SERVER_EVERY === 0;
      await tally.note(await prove(dataDir, injury, known, withServer), injury, say);
      rmSync(dataDir, { recursive: true });
      if ((index + 1) % 20 === 0) say(`${index + 1} injuries: ${tally.outcome(index + 1).figure}`);
    }
    if (tally.findings.length === 0) folder.remove();
    return tally.outcome(count);
  },
};

interface Proof {
  /** A finding names the injured file. */
  readonly isFound: boolean;
  /** What the server said; null where it was not started, 'refused' with its words where it did not start or answer. */
  readonly served: Truth | { readonly refused: string } | null;
  /** After a repair, where one was needed. */
  readonly repaired: Truth | { readonly refused: string } | null;
}

async function prove(dataDir: string, injury: Injury, known: KnownFolder, withServer: boolean): Promise<Proof> {
  const withCatalog = injury.kind.startsWith('catalog');
  const findings = findingsOf(await examineFolder(dataDir, { withCatalog }));
  const isFound = findings.some(({ file, place }) => names(file, place, join(dataDir, injury.file)));
  if (isFound && !withServer) return { isFound, served: null, repaired: null };
  const served = await serve(dataDir, known);
  const isWhole = 'equal' in served && served.equal === SAMPLES && served.wrong === 0;
  if (isWhole) return { isFound, served, repaired: null };
  await fieldline(['doctor', '--repair', '--data-dir', dataDir]);
  return { isFound, served, repaired: await serve(dataDir, known) };
}

/** The catalog's reader names tables, or the folder: PostgreSQL does not tell the file of all that it misses. */
function names(file: string, place: string | null, injured: string): boolean {
  return (
    file === injured ||
    (injured.startsWith(`${file}/`) && file.endsWith('catalog')) ||
    (place?.includes(injured) ?? false)
  );
}

async function serve(dataDir: string, known: KnownFolder): Promise<Truth | { refused: string }> {
  try {
    const server = await startServer({ dataDir, environment: ENVIRONMENT });
    try {
      return await compareAll(server, known);
    } finally {
      await server.stop();
    }
  } catch (error) {
    return { refused: error instanceof Error ? error.message.slice(-1000) : String(error) };
  }
}

class Tally {
  readonly findings: string[] = [];
  readonly #counts = { found: 0, harmless: 0, served: 0, refused: 0, repaired: 0, wrong: 0 };

  async note({ isFound, served, repaired }: Proof, injury: Injury, say: (line: string) => void): Promise<void> {
    const counts = this.#counts;
    const amiss = (what: string): void => {
      const sentence = `${injury.kind}: ${injury.file}, ${injury.what}: ${what}`;
      this.findings.push(sentence);
      say(sentence);
    };
    if (isFound) counts.found += 1;
    else if (served !== null && 'equal' in served && served.equal === SAMPLES) counts.harmless += 1;
    else amiss(`not found, and ${JSON.stringify(served)}`);
    for (const truth of [served, repaired]) {
      if (truth === null || !('wrong' in truth) || truth.wrong === 0) continue;
      counts.wrong += truth.wrong;
      amiss(`${truth.wrong} wrong values`);
    }
    if (served === null) return;
    if ('refused' in served) counts.refused += 1;
    else counts.served += 1;
    if (repaired === null) return;
    if ('equal' in repaired && repaired.equal === SAMPLES) counts.repaired += 1;
    // The catalog is not in the log: it is named, and comes from a backup.
    else if (!injury.kind.startsWith('catalog')) amiss(`not whole after the repair: ${JSON.stringify(repaired)}`);
  }

  outcome(count: number): Outcome {
    const { found, harmless, served, refused, repaired, wrong } = this.#counts;
    return {
      passed: this.findings.length === 0,
      figure: `${found} of ${count} named by the doctor, ${harmless} without effect (all ${SAMPLES} samples equal); ${wrong} wrong values; started on ${served + refused}: ${served} served, ${refused} refused, ${repaired} whole after a repair`,
      findings: this.findings,
    };
  }
}
