/** The web UI is built on the machine that serves it: at the first start, and again when its sources have changed. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { FieldlineError } from '@fieldline/kit';

const BUILD_FILE = fileURLToPath(new URL('../../ui/build.ts', import.meta.url));

/** Folder of the built UI. */
export const UI_DIST = fileURLToPath(new URL('../../ui/dist', import.meta.url));

/** Builds the UI where it is not current. In a process of its own, so that the server stays small. Calls `say` when it has to build. */
export async function ensureUi(say: (sentence: string) => void): Promise<void> {
  if ((await run('--check')) === 0) return;
  say('building the web UI (first start, some seconds) …');
  const code = await run();
  if (code !== 0)
    throw new FieldlineError(
      'INTERNAL',
      'the web UI could not be built; `npm run build:ui` shows why, FIELDLINE_API_UI=false starts without it',
    );
}

function run(...args: string[]): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [BUILD_FILE, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
    child.on('error', () => resolve(1));
    child.on('exit', (code) => resolve(code));
  });
}
