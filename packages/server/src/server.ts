/** A whole server in this process: starts all parts, tells their health, stops them. A part that fails ends the whole, loudly. */
import type { Catalog } from '@fieldline/catalog';
import { messageOf } from '@fieldline/kit';
import type { Config } from './config/schema.ts';
import { healthOf } from './health.ts';
import { Installation } from './installation.ts';
import { noteParts } from './installation-file.ts';
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
  /** URLs for MQTT over WebSocket; empty where it is off. */
  readonly mqttWebSocketUrls: readonly string[];
  /** Set where the administrator was made at this start without a given password. */
  readonly generatedPassword: string | null;
  /** Resolves when a part can go on no longer; the process should then stop with an error. */
  readonly failed: Promise<Error>;
  stop(): Promise<void>;
  /** The part that is being stopped; null before a stop. */
  stopping(): string | null;
}

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
  try {
    noteParts(config.dataDir);
  } catch (error) {
    // The next start notes it.
    const sentence = 'it could not be noted which parts the data folder has: one that gets lost may not be missed';
    installation.logger.warn({ error: messageOf(error) }, sentence);
  }
  const { tcp, tls, ws, wss } = installation.mqtt;
  return {
    catalog: installation.catalog,
    apiUrl: installation.apiUrl,
    mqttAddress: `${tcp?.host}:${tcp?.port}`,
    mqttTlsAddress: tls === null ? null : `${tls.host}:${tls.port}`,
    mqttWebSocketUrls: [
      ...(ws === null ? [] : [`ws://${ws.host}:${ws.port}/mqtt`]),
      ...(wss === null ? [] : [`wss://${wss.host}:${wss.port}/mqtt`]),
    ],
    generatedPassword: installation.generatedPassword,
    failed: failure.promise,
    stop: () => parts.stop(),
    stopping: () => parts.stopping,
  };
}
