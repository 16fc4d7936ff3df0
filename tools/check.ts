/** `npm run check`: everything about the code that can be told without running it. Each step's output is shown only where it fails. */
import { spawnSync } from 'node:child_process';

const STEPS: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['types', 'tsc', '--noEmit', '-p', 'tsconfig.json'],
  ['lint and format', 'biome', 'check', '--error-on-warnings', '.'],
  ['arrows, marks, lock file', 'node', 'tools/tidy.ts'],
  ['dead code', 'knip', '--no-progress'],
  ['configuration reference', 'node', 'tools/reference.ts', '--check'],
  ['generated client', 'npm', 'run', '--silent', 'check:generated', '-w', '@fieldline/contract'],
  ['generated protobuf types', 'npm', 'run', '--silent', 'check:generated', '-w', '@fieldline/codecs'],
  ['licences and install scripts', 'node', 'tools/dependencies.ts'],
];

let failures = 0;
for (const [name, command, ...args] of STEPS) {
  const started = performance.now();
  const result = spawnSync(command, args, { encoding: 'utf8', shell: process.platform === 'win32' });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const passed = result.status === 0;
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (!passed) {
    failures += 1;
    console.log(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`.trimEnd());
  }
}
console.log(`${STEPS.length - failures} passed, ${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
