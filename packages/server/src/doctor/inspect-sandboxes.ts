/** Looks into the sandboxes of replays: stores of their own, which can be filled again. What is damaged is moved aside by --repair. */
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Finding, type Inspection, makeDirectorySync, syncDirectorySync } from '@fieldline/kit';
import { inspectStore } from '@fieldline/store';

const FOLDER = 'sandbox';
const REMEDY = '--repair moves the sandbox aside; then run its replay again';

/** One finding a sandbox: whatever it is, the whole is filled again. */
export async function inspectSandboxes(dataDir: string): Promise<Inspection> {
  const findings: Finding[] = [];
  const counts = { sandboxes: 0, rows: 0 };
  for (const id of sandboxesIn(dataDir)) {
    const dir = join(dataDir, FOLDER, id);
    const found = await inspectStore(dir);
    counts.sandboxes += 1;
    counts.rows += (found.counts.rows ?? 0) + (found.counts.sealedRows ?? 0);
    const worst = found.findings.find(({ mend }) => mend !== 'restart');
    if (worst === undefined) continue;
    const place = worst.place === null ? worst.file : `${worst.file}, ${worst.place}`;
    findings.push({ file: dir, place, meaning: worst.meaning, remedy: REMEDY, mend: 'anew' });
  }
  return { part: 'sandbox', counts, findings };
}

/** Moves the damaged ones aside; says so in sentences. */
export function mendSandboxes({ findings }: Inspection, asideDir: string): string[] {
  const aside = join(asideDir, FOLDER);
  return findings.map(({ file }) => {
    makeDirectorySync(aside);
    renameSync(file, join(aside, basename(file)));
    syncDirectorySync(aside);
    return `moved ${file} to ${aside}; run its replay again`;
  });
}

function sandboxesIn(dataDir: string): string[] {
  const folder = join(dataDir, FOLDER);
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && entry.name !== 'lost+found').map(({ name }) => name);
}
