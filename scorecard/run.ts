/**
 * `npm run scorecard [-- 5 overload --long]`: all lines, or those of these numbers or names. Prints each with its figure; exit 1 where one did
 * not pass. The long form takes hours.
 */
import { parseArgs } from 'node:util';
import { messageOf } from '@fieldline/kit';
import { badPayloads } from './bad-payloads.ts';
import { manyConnections } from './connections.ts';
import { corruption } from './corruption.ts';
import { diskFull } from './disk-full.ts';
import { fuzzing } from './fuzz.ts';
import { injection } from './injection.ts';
import type { Form, Outcome, ScorecardLine } from './line.ts';
import { networkFaults } from './network-faults.ts';
import { overload } from './overload.ts';
import { packetMemory } from './packet-memory.ts';
import { packetVectors } from './packet-vectors.ts';
import { mqtt5Suite, mqtt311Suite } from './paho.ts';
import { powerCut } from './power-cut.ts';
import { onceInEffect, processKill } from './process-kill.ts';
import { prototypePollution } from './prototype-pollution.ts';
import { recovery } from './recovery.ts';
import { slowConsumers } from './slow-consumers.ts';
import { soak } from './soak.ts';
import { storeAway } from './store-away.ts';

/** In the order of their numbers. */
const LINES: readonly ScorecardLine[] = [
  mqtt5Suite,
  mqtt311Suite,
  packetVectors,
  fuzzing,
  processKill,
  powerCut,
  onceInEffect,
  corruption,
  diskFull,
  storeAway,
  recovery,
  badPayloads,
  slowConsumers,
  manyConnections,
  overload,
  soak,
  networkFaults,
  prototypePollution,
  injection,
  packetMemory,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { long: { type: 'boolean', default: false }, list: { type: 'boolean', default: false } },
});
const isMeant = ({ number, what }: ScorecardLine, text: string): boolean => text === String(number) || text === what;
const chosen = LINES.filter((line) => positionals.length === 0 || positionals.some((text) => isMeant(line, text)));
const unknown = positionals.filter((text) => !LINES.some((line) => isMeant(line, text)));
if (unknown.length > 0) {
  console.error(`there is no line ${unknown.join(', ')}; --list names them`);
  process.exit(2);
}
if (values.list) for (const line of LINES) console.log(`${title(line)}: ${line.must}`);
else process.exitCode = (await runAll(values.long ? 'long' : 'short')) ? 0 : 1;

async function runAll(form: Form): Promise<boolean> {
  const rows: string[] = [];
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const line of chosen) {
    console.error(`\n${title(line)}: ${line.must}`);
    const started = performance.now();
    const outcome = await outcomeOf(line, form);
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    const word = outcome.passed === null ? 'skipped' : outcome.passed ? 'passed' : 'failed';
    counts[word] += 1;
    rows.push(`${word.padEnd(8)} ${title(line).padEnd(36)} ${outcome.figure} (${seconds} s)`);
    console.error(`  ${rows.at(-1)}`);
    for (const finding of outcome.findings ?? []) console.error(`  · ${finding}`);
  }
  console.log(`\n${rows.join('\n')}\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed === 0;
}

async function outcomeOf(line: ScorecardLine, form: Form): Promise<Outcome> {
  try {
    return await line.run(form, (said) => console.error(`  ${said}`));
  } catch (error) {
    return { passed: false, figure: messageOf(error) };
  }
}

function title(line: ScorecardLine): string {
  return `${String(line.number).padStart(2)} ${line.what}`;
}
