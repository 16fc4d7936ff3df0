/** `fieldline start`: runs the server until it is told to stop. Logs go to standard output, words for people to standard error. */
import { createLogger } from '@fieldline/kit';
import { writeCompiledCode } from '../compiled-code.ts';
import { type ConfigSources, loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { type Server, type ServerOptions, startServer } from '../server.ts';
import { ensureUi } from '../ui-build.ts';

/** Longest time that a stop may take before the process ends anyway; what was acknowledged is durable already. */
const STOP_TIMEOUT_MS = 30_000;

/** Starts with this configuration and ends the process after SIGINT, SIGTERM or the failure of a part. */
export async function startCommand(sources: ConfigSources): Promise<void> {
  const { config } = loadConfig(sources);
  const running = await runServer(config);
  tellPeople(config, running);
  await untilStopped(config, running);
}

/** Starts the server (and builds the UI before, where it has to be) and says `ready` in the log. */
export async function runServer(config: Config, options: ServerOptions = {}): Promise<Server> {
  if (config.api.ui) await ensureUi((sentence) => console.error(sentence));
  const started = performance.now();
  const server = await startServer(config, options);
  writeCompiledCode();
  // Whoever reads `ready` may ask for a stop at once.
  void signalToStop();
  createLogger('server', config.logLevel).info(
    {
      api: server.apiUrl,
      mqtt: server.mqttAddress,
      ...(server.mqttTlsAddress !== null && { mqttTls: server.mqttTlsAddress }),
      ...(server.mqttWebSocketUrls.length > 0 && { mqttWebSocket: server.mqttWebSocketUrls }),
      dataDir: config.dataDir,
      durationMs: Math.round(performance.now() - started),
    },
    'ready',
  );
  return server;
}

let stopSignal: Promise<null> | null = null;

/** Resolves with the first signal that asks for a stop. The listeners stay: without one a second signal would end the process. */
function signalToStop(): Promise<null> {
  stopSignal ??= new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(null));
  });
  return stopSignal;
}

/** Waits for the first reason to stop, stops cleanly, and ends the process. A second Ctrl-C ends it at once. */
export async function untilStopped(
  config: Config,
  server: Server,
  before: () => Promise<void> = async () => {},
): Promise<never> {
  const reason = await Promise.race([signalToStop(), server.failed]);
  const logger = createLogger('server', config.logLevel);
  // The launcher passes a terminal's Ctrl-C on as well, so the same press can come twice: the second within a second is no new one.
  const stopping = performance.now();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (performance.now() - stopping > 1000) process.exit(130);
    });
  }
  setTimeout(() => {
    const part = server.stopping() ?? 'what runs beside the server';
    console.error(`fieldline: ${part} did not stop within ${STOP_TIMEOUT_MS / 1000} s; ending`);
    process.exit(1);
  }, STOP_TIMEOUT_MS).unref();
  await before();
  await server.stop();
  logger.info({ durationMs: Math.round(performance.now() - stopping) }, 'stopped');
  process.exit(reason === null ? 0 : 1);
}

function tellPeople(config: Config, server: Server): void {
  const lines = [
    '',
    '  Fieldline is running.',
    '',
    `  Web UI and API   ${server.apiUrl}    (API reference: ${server.apiUrl}/docs)`,
  ];
  lines.push(`  MQTT             ${server.mqttAddress}`);
  if (server.mqttTlsAddress !== null) lines.push(`  MQTT over TLS    ${server.mqttTlsAddress}`);
  for (const url of server.mqttWebSocketUrls) lines.push(`  MQTT, WebSocket  ${url}`);
  lines.push(`  Data             ${config.dataDir}`, '');
  lines.push(...passwordLines(config, server), '  Ctrl-C stops it.', '');
  console.error(lines.join('\n'));
}

/** How to sign in, where this start has made the administrator. */
export function passwordLines(config: Config, server: Server): string[] {
  if (server.generatedPassword === null) return [];
  return [
    `  Sign in as       ${config.admin.email}`,
    `  Password         ${server.generatedPassword}    (shown this once)`,
    '',
  ];
}
