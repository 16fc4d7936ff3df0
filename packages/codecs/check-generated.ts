/** Tells whether src/generated is what buf makes of proto/ now. Exit 1 and a sentence where it is not. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const here = import.meta.dirname;
const scratch = mkdtempSync(path.join(tmpdir(), 'fieldline-proto-'));
try {
  execFileSync('buf', ['lint', '../../proto'], { cwd: here, stdio: 'inherit' });
  // `out` of the template is taken relative to --output.
  execFileSync('buf', ['generate', '--output', scratch], { cwd: here, stdio: 'inherit' });
  const committed = path.join(here, 'src/generated');
  const fresh = path.join(scratch, 'src/generated');
  const differing = differences(committed, fresh);
  if (differing.length > 0) {
    console.error(
      `src/generated does not fit proto/: ${differing.join(', ')}; run npm run generate -w @fieldline/codecs`,
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function differences(left: string, right: string): string[] {
  const names = new Set([...filesIn(left), ...filesIn(right)]);
  return [...names].filter((name) => contentOf(left, name) !== contentOf(right, name));
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
}

function contentOf(folder: string, name: string): string | null {
  try {
    return readFileSync(path.join(folder, name), 'utf8');
  } catch {
    return null; // Not there: differs from a file that is.
  }
}
