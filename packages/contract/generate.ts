/** Writes src/generated/client.ts from the route table. With --check it writes nothing and fails where the file differs. */
import { readFile, writeFile } from 'node:fs/promises';
import { renderClient } from './src/generate/render-client.ts';

const file = new URL('./src/generated/client.ts', import.meta.url);
const text = renderClient();

if (process.argv.includes('--check')) {
  if ((await readFile(file, 'utf8')) !== text) {
    console.error(
      'packages/contract/src/generated/client.ts is not what the schemas say: run node packages/contract/generate.ts',
    );
    process.exitCode = 1;
  }
} else {
  await writeFile(file, text);
}
