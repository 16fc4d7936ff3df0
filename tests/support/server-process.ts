/** The real program for tests and benchmarks: started as a user would, on free ports and a folder of its own, stopped or killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const COMMAND_LINE = fileURLToPath(new URL('../../packages/server/src/cli.ts', import.meta.url));
export const ADMIN_PASSWORD = 'correct-horse-battery-staple';

export interface ServerOptions {
  readonly dataDir: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly startTimeoutMs?: number;
  /** How many of its last lines are remembered. Default 200. */
  readonly linesMax?: number;
  /** A command that runs the program in its own process, e.g. strace -D with its arguments. */
  readonly under?: readonly string[];
}

export interface RunningServer {
  readonly url: string;
  readonly mqtt: { readonly host: string; readonly port: number };
  /** Port for MQTT over TLS; null where it is off. */
  readonly mqttTlsPort: number | null;
  /** For MQTT over WebSocket; empty where it is off. */
  readonly mqttWebSocketUrls: readonly string[];
  readonly process: ChildProcess;
  /** The last lines of its log, for messages of failed tests. */
  readonly lastLines: () => string;
  /** SIGTERM, and waits for a clean end. Returns the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
}

/** A folder under the system's temporary one, and a function that removes it. */
export function temporaryFolder(name: string): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), `fieldline-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Starts `fieldline start` and resolves when it says that it is ready; rejects with its output where it ends before. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const child = spawnServer(options);
  const lines: string[] = [];
  const remember = (line: string): void => {
    lines.push(line);
    if (lines.length > (options.linesMax ?? 200)) lines.shift();
  };
  const exited = once(child, 'exit');
  createInterface(child.stderr!).on('line', remember);
  const ready = await new Promise<ReadyLine>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`the server ${why}:\n${lines.join('\n')}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('was not ready in time');
    }, options.startTimeoutMs ?? 60_000);
    createInterface(child.stdout!).on('line', (line) => {
      remember(line);
      const message = parseLine(line);
      if (message?.msg === 'ready') {
        clearTimeout(timer);
        resolve(message as unknown as ReadyLine);
      }
    });
    void exited.then(([code, signal]) => {
      clearTimeout(timer);
      fail(`ended (code ${code}, signal ${signal}) before it was ready`);
    });
  });
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await exited;
    }
    return child.exitCode;
  };
  const [host, port] = ready.mqtt.split(':') as [string, string];
  return {
    url: ready.api,
    mqtt: { host, port: Number(port) },
    mqttTlsPort: ready.mqttTls === undefined ? null : Number(ready.mqttTls.split(':').at(-1)),
    mqttWebSocketUrls: ready.mqttWebSocket ?? [],
    process: child,
    lastLines: () => lines.join('\n'),
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
  };
}

/** Starts the program and ends it with SIGKILL so soon after, ready or not. Resolves when it has ended. */
export async function killWhileStarting(options: ServerOptions, afterMs: number): Promise<void> {
  const child = spawnServer(options);
  const exited = once(child, 'exit');
  child.stdout!.resume();
  child.stderr!.resume();
  await Promise.race([sleep(afterMs), exited]);
  child.kill('SIGKILL');
  await exited;
}

function spawnServer(options: ServerOptions): ChildProcess {
  const command = [...(options.under ?? []), process.execPath, '--max-semi-space-size=8', COMMAND_LINE, 'start'];
  return spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      UV_THREADPOOL_SIZE: '16',
      FIELDLINE_DATA_DIR: options.dataDir,
      FIELDLINE_API_PORT: '0',
      FIELDLINE_BROKER_PORT: '0',
      FIELDLINE_ADMIN_PASSWORD: ADMIN_PASSWORD,
      FIELDLINE_API_UI: 'false',
      FIELDLINE_API_REQUESTS_PER_MINUTE: '1000000',
      ...options.environment,
    },
  });
}

/** What the log says when the server is ready. */
interface ReadyLine {
  readonly api: string;
  readonly mqtt: string;
  readonly mqttTls?: string;
  readonly mqttWebSocket?: readonly string[];
}

function parseLine(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null; // Half a line of a process that was killed.
  }
}
