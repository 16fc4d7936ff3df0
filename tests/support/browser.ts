/** Chromium for tests of the real program: one page with a profile of its own; a picture of it where a test fails. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { temporaryFolder } from './server-process.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Browser {
  readonly page: Page;
  /** What the pages threw. */
  readonly faults: readonly string[];
  /** Saves what is to be seen now under dist/failures and returns the file. */
  picture(name: string): Promise<string>;
  close(): Promise<void>;
}

/** Opens the browser (CHROMIUM_PATH, else Debian's) with one empty page. */
export async function openBrowser(viewport = { width: 1440, height: 900 }): Promise<Browser> {
  const profile = temporaryFolder('browser');
  const context: BrowserContext = await chromium.launchPersistentContext(profile.path, {
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    headless: true,
    args: FLAGS,
    viewport,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  return {
    page,
    faults,
    picture: async (name) => {
      const folder = join(import.meta.dirname, '../../dist/failures');
      mkdirSync(folder, { recursive: true });
      const path = join(folder, `${name.replace(/[^a-z0-9]+/gi, '-')}.png`);
      await page.screenshot({ path });
      return path;
    },
    close: async () => {
      await context.close();
      rmSync(profile.path, { recursive: true, force: true });
    },
  };
}
