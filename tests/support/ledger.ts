/**
 * The ledger: stock clients send numbered samples over MQTT and HTTP and write down each acknowledgement, while the server is
 * killed with SIGKILL at random and at chosen moments (ledger/moments.ts) and started again. At the end every acknowledged
 * sample must be readable through REST exactly once, with its value and time; samples that were never acknowledged may be
 * there, at most once.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeOlderCatalog } from '@fieldline/catalog/older-schema';
import { seededRandom } from '@fieldline/kit';
import { ApiSession, type DeviceCredentials, eventually } from './api-session.ts';
import { type Door, type LedgerClient, openClient } from './ledger/clients.ts';
import { type Comparison, compare } from './ledger/compare.ts';
import { endServer, type Moment } from './ledger/moments.ts';
import { killWhileStarting, type RunningServer, startServer } from './server-process.ts';

export interface LedgerOptions {
  readonly dataDir: string;
  readonly kills: number;
  readonly clients: number;
  /** Taken in turn by the clients. Default QoS 1. */
  readonly doors?: readonly Door[];
  /** Taken in turn by the kills. Default any. */
  readonly moments?: readonly Moment[];
  /** Starts that are cut off on the folder of an older version, before the first that is let through. Default 0. */
  readonly firstStartsCutOff?: number;
  /** Messages under way per client. */
  readonly window: number;
  readonly samplesPerMessage: number;
  /** Goes on until so many samples are acknowledged, even when the kills are done. */
  readonly samplesMin: number;
  readonly seed: number;
  /** Server settings, e.g. to seal all the time. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly say?: (line: string) => void;
}

export interface LedgerResult extends Comparison {
  readonly kills: number;
  readonly recoveriesMs: readonly number[];
  /** Chosen moments that did not come in time. */
  readonly missed: number;
}

/** How long a first start takes, about: those that are cut off end before. */
const FIRST_START_MS = 4_000;

/** Runs the whole proof and returns what was found. */
export async function runLedger(options: LedgerOptions): Promise<LedgerResult> {
  const { dataDir, kills, moments = ['any'], say = () => {} } = options;
  const chance = seededRandom(options.seed);
  say(`seed ${options.seed}`);
  let server = await firstStart(options, chance);
  // The clients keep one address, so the ports are fixed from the first start on.
  const environment = {
    ...options.environment,
    FIELDLINE_BROKER_PORT: String(server.mqtt.port),
    FIELDLINE_API_PORT: new URL(server.url).port,
  };
  const startMs = Date.now() - 86_400_000;
  const clients = await openClients(options, server, startMs, chance);
  const acknowledged = (): number => clients.reduce((sum, client) => sum + client.acknowledged.size, 0);
  const recoveriesMs: number[] = [];
  let missed = 0;
  for (let kill = 1; kill <= kills; kill++) {
    const before = acknowledged();
    await eventually('acknowledgements', () => (acknowledged() > before ? true : null), 60_000);
    const moment = moments[(kill - 1) % moments.length]!;
    const start = { dataDir, environment };
    const scene = { server, start, clients, chance, acknowledged, startMs: recoveriesMs.at(-1) ?? FIRST_START_MS };
    const came = await endServer(moment, scene);
    if (!came) missed += 1;
    const killedMs = performance.now();
    server = await startServer(start);
    recoveriesMs.push(performance.now() - killedMs);
    const ready = `ready again after ${recoveriesMs.at(-1)!.toFixed(0)} ms`;
    say(`kill ${kill} (${moment}${came ? '' : ', did not come'}): ${ready}, ${acknowledged()} samples acknowledged`);
  }
  await eventually('enough samples', () => (acknowledged() >= options.samplesMin ? true : null), 600_000);
  await Promise.all(clients.map((client) => client.finish()));
  say('comparing');
  const comparison = await compare(server, clients, startMs);
  await server.stop();
  return { kills, missed, recoveriesMs, ...comparison };
}

/** The first start finds a catalog of the version before, where some are to be cut off in its migration. */
async function firstStart(options: LedgerOptions, chance: () => number): Promise<RunningServer> {
  const { dataDir, environment, firstStartsCutOff = 0 } = options;
  if (firstStartsCutOff > 0) {
    await makeOlderCatalog(join(dataDir, 'catalog'), -1);
    writeFileSync(join(dataDir, 'secret.key'), randomBytes(32).toString('base64'), { mode: 0o600 });
  }
  for (let time = 0; time < firstStartsCutOff; time++) {
    await killWhileStarting({ dataDir, environment }, chance() * FIRST_START_MS);
  }
  return startServer({ dataDir, environment });
}

async function openClients(
  options: LedgerOptions,
  server: RunningServer,
  startMs: number,
  chance: () => number,
): Promise<LedgerClient[]> {
  const api = await ApiSession.signIn(server.url);
  const devices: DeviceCredentials[] = await api.createDevices(options.clients, 'ledger-');
  const { key: apiKey } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'ledger', scopes: ['ingest'] });
  const { doors = ['qos1'], window, samplesPerMessage } = options;
  return devices.map((device, index) => {
    const door = doors[index % doors.length]!;
    return openClient({ index, door, device, apiKey, server, window, samplesPerMessage, startMs, chance });
  });
}
