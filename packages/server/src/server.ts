/** A whole server in this process: starts all parts, tells their health, stops them. A part that fails ends the whole, loudly. */
import type { Catalog } from '@fieldline/catalog';
import { type Health, isFieldlineError, messageOf } from '@fieldline/kit';
import type { Config } from './config/schema.ts';
import { Installation } from './installation.ts';
import { PARTS } from './roles.ts';
import { RunningParts } from './run-parts.ts';

export interface ServerOptions {
  /** The organisation that the first start makes; default 'default'. */
  readonly organization?: { readonly slug: string; readonly name: string };
}

export interface Server {
  readonly catalog: Catalog;
  /** Where people and programs reach it. */
  readonly apiUrl: string;
  readonly mqttAddress: string;
  /** Host and port for MQTT over TLS; null where it is off. */
  readonly mqttTlsAddress: string | null;
  /** Set where the administrator was made at this start without a given password. */
  readonly generatedPassword: string | null;
  /** Resolves when a part can go on no longer; the process should then stop with an error. */
  readonly failed: Promise<Error>;
  stop(): Promise<void>;
}

/** How long a thread may take to tell its health before it counts as stuck. */
const HEALTH_TIMEOUT_MS = 2000;

/** Starts the server; rejects where a part cannot start, after stopping those that had. */
export async function startServer(config: Config, options: ServerOptions = {}): Promise<Server> {
  const failure = Promise.withResolvers<Error>();
  const installation = new Installation(config, options.organization ?? null, (part, error) => {
    installation.logger.error({ part, error: messageOf(error) }, 'a part of the server has ended; the server stops');
    parts.fail(part, error);
    failure.resolve(error);
  });
  const parts = new RunningParts(PARTS, installation, installation.logger);
  installation.health = () => healthOf(installation, parts);
  await parts.start();
  const { tcp, tls } = installation.mqtt;
  return {
    catalog: installation.catalog,
    apiUrl: installation.apiUrl,
    mqttAddress: `${tcp?.host}:${tcp?.port}`,
    mqttTlsAddress: tls === null ? null : `${tls.host}:${tls.port}`,
    generatedPassword: installation.generatedPassword,
    failed: failure.promise,
    stop: () => parts.stop(),
  };
}

/** The parts of the main thread, and what the other threads say of themselves. */
async function healthOf(of: Installation, parts: RunningParts<Installation>): Promise<Health[]> {
  const threads = await Promise.all([
    inTime('broker', () => of.brokerThread.host.health()),
    inTime('pipeline', () => of.pipelineThread!.host.health()),
    inTime('catalog', async () => {
      await of.catalog.ping();
      return [];
    }),
  ]);
  return [...parts.health(), ...threads.flat()];
}

async function inTime(name: string, ask: () => Promise<Health[]>): Promise<Health[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Health[]>((resolve) => {
    const problem = `did not answer within ${HEALTH_TIMEOUT_MS} ms`;
    timer = setTimeout(() => resolve([{ name, state: 'running', ready: false, problem }]), HEALTH_TIMEOUT_MS);
  });
  try {
    return await Promise.race([ask(), late]);
  } catch (error) {
    const state = isFieldlineError(error, 'STOPPED') ? 'failed' : 'running';
    return [{ name, state, ready: false, problem: messageOf(error) }];
  } finally {
    clearTimeout(timer);
  }
}
