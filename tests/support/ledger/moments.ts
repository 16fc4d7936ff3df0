/** The moments at which the ledger ends the server: some any, some chosen because something is half done then. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toFormatOne } from '@fieldline/store/older-format';
import { killWhileStarting, type RunningServer, type ServerOptions } from '../server-process.ts';
import type { LedgerClient } from './clients.ts';

/**
 * - any: a random time after the last start
 * - commit: within the time in which acknowledged records become samples and a stored position
 * - sealing, compaction: while a Parquet file of that is being written
 * - start: and then again, several times, before the server is ready
 * - migration: the store is brought back to its first format, and the server is killed while it starts on that
 * - storm: while all clients lose their connections again and again
 * - clean stop: SIGTERM
 */
export const MOMENTS = ['any', 'commit', 'sealing', 'compaction', 'start', 'migration', 'storm', 'clean stop'] as const;
export type Moment = (typeof MOMENTS)[number];

export interface Scene {
  readonly server: RunningServer;
  readonly start: ServerOptions;
  readonly clients: readonly LedgerClient[];
  /** From 0 to 1, seeded. */
  readonly chance: () => number;
  readonly acknowledged: () => number;
  /** How long a start took so far. */
  readonly startMs: number;
}

const COMMIT_MS = 60;
const STORM_WAVES = 8;
const STARTS_CUT_OFF = 3;
const WRITING_WAIT_MS = 15_000;

/** Ends the server at such a moment; false where the moment did not come in time and it was ended without. */
export async function endServer(moment: Moment, scene: Scene): Promise<boolean> {
  const { server, chance } = scene;
  switch (moment) {
    case 'any':
      await sleep(100 + chance() * 1500);
      await server.kill();
      return true;
    case 'commit':
      await untilAcknowledged(scene);
      await sleep(chance() * COMMIT_MS);
      await server.kill();
      return true;
    case 'sealing':
    case 'compaction': {
      const came = await untilWriting(moment, join(scene.start.dataDir, 'store', 'sealed'));
      await server.kill();
      return came;
    }
    case 'start':
      await server.kill();
      await cutStartsOff(scene);
      return true;
    case 'migration':
      await server.kill();
      await toFormatOne(join(scene.start.dataDir, 'store'));
      await cutStartsOff(scene);
      return true;
    case 'storm':
      for (let wave = 0; wave < STORM_WAVES; wave++) {
        for (const client of scene.clients) client.drop();
        await sleep(chance() * 250);
      }
      await server.kill();
      return true;
    case 'clean stop':
      await server.stop();
      return true;
  }
}

async function cutStartsOff({ start, chance, startMs }: Scene): Promise<void> {
  for (let time = 0; time < STARTS_CUT_OFF; time++) await killWhileStarting(start, chance() * startMs);
}

async function untilAcknowledged({ acknowledged }: Scene): Promise<void> {
  const before = acknowledged();
  for (let tries = 0; tries < 5_000 && acknowledged() === before; tries++) await sleep(1);
}

/**
 * Waits for a file that is being written. Its name begins with the generation: of one that has no file yet it is sealing,
 * of one that has it is compaction.
 */
async function untilWriting(moment: 'sealing' | 'compaction', sealedDir: string): Promise<boolean> {
  const deadline = performance.now() + WRITING_WAIT_MS;
  while (performance.now() < deadline) {
    const names = readdirSync(sealedDir, { recursive: true, encoding: 'utf8' }).map((path) => path.split('/').at(-1)!);
    const generations = new Set(names.filter((name) => name.endsWith('.parquet')).map(generationOf));
    for (const name of names) {
      if (!name.endsWith('.unfinished')) continue;
      if (generations.has(generationOf(name)) === (moment === 'compaction')) return true;
    }
    await sleep(2);
  }
  return false;
}

function generationOf(name: string): string {
  return name.split('-')[0]!;
}
