/** Writes docs/configuration.md and .env.example from the configuration schema; with --check only tells whether they are current. */
import { readFileSync, writeFileSync } from 'node:fs';
import { configurationMarkdown, environmentExample } from '@fieldline/server/reference';

const files = { 'docs/configuration.md': configurationMarkdown(), '.env.example': environmentExample() };
let stale = 0;
for (const [file, text] of Object.entries(files)) {
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (readOrEmpty(file) !== text) {
    stale += 1;
    console.error(`${file} differs from the schema; run \`node tools/reference.ts\``);
  }
}
process.exitCode = stale === 0 ? 0 : 1;

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // Not written yet: that differs as well.
  }
}
