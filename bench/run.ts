/**
 * `npm run bench`: all figures of the design, or those that are named: `npm run bench -- json protobuf --seconds 120`.
 * Prints the machine, the settings and each figure beside its target. Machines differ: compare ratios and runs side by side.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { manyConnections } from './connections.ts';
import { jsonPath, protobufPath } from './data-path.ts';
import { type Bench, figureRow } from './figures.ts';
import { httpIngest } from './http-ingest.ts';

const BENCHES: readonly Bench[] = [jsonPath, protobufPath, httpIngest, manyConnections];

/** Single parts without the rest, each a program of its own that prints its figures. */
const PARTS = ['codecs', 'broker', 'log', 'pipeline', 'store'].map((name) => ({
  name,
  file: `packages/${name}/src/${name}.bench.ts`,
}));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});
if (values.list) {
  for (const bench of BENCHES) console.log(`${bench.name.padEnd(12)} ${bench.describes}`);
  for (const part of PARTS) console.log(`${part.name.padEnd(12)} the package ${part.name} alone`);
} else await runAll();

async function runAll(): Promise<void> {
  const unknown = positionals.filter((name) => ![...BENCHES, ...PARTS].some((bench) => bench.name === name));
  if (unknown.length > 0) {
    console.error(`there is no bench ${unknown.join(', ')}; --list names them`);
    process.exitCode = 2;
    return;
  }
  const gigabytes = (totalmem() / 2 ** 30).toFixed(0);
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${gigabytes} GiB, Node ${process.version}, load generator included`,
  );
  for (const bench of BENCHES) {
    if (positionals.length > 0 && !positionals.includes(bench.name)) continue;
    console.log(`\n${bench.name}: ${bench.describes}`);
    const rate = values.rate === undefined ? null : Number(values.rate);
    const { figures, notes } = await bench.run({ seconds: Number(values.seconds), rate });
    for (const figure of figures) console.log(figureRow(figure));
    for (const note of notes) console.log(`  · ${note}`);
  }
  for (const { name, file } of PARTS) {
    if (!existsSync(file) || (positionals.length > 0 && !positionals.includes(name))) continue;
    console.log(`\n${name}: the package alone (${file})`);
    spawnSync(process.execPath, [file], { stdio: 'inherit' });
  }
}
