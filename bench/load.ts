/** Starts the generator as a process of its own and hands its reports on. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { GeneratorOptions, GeneratorReport } from './generator.ts';

/** Runs the load and resolves with its totals; `onSecond` hears each second's report. */
export async function runLoad(
  options: GeneratorOptions,
  onSecond: (report: GeneratorReport) => void = () => {},
): Promise<GeneratorReport> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./generator.ts', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(options));
  let total: GeneratorReport | null = null;
  createInterface(child.stdout).on('line', (line) => {
    const report = JSON.parse(line) as GeneratorReport;
    if (report.kind === 'total') total = report;
    else onSecond(report);
  });
  await new Promise((resolve) => child.on('close', resolve));
  if (total === null) throw new Error('the generator ended without a report');
  return total;
}
