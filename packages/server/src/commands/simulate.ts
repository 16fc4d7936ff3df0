/** `fieldline simulate`: runs a scenario's devices over MQTT until it ends or is stopped, telling now and then how it goes. */
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { FieldlineError, messageOf } from '@fieldline/kit';
import { parseCredentials, parseScenario, runScenario } from '@fieldline/simulator';

export interface SimulateFlags {
  readonly host?: string;
  readonly port?: string;
  readonly organization?: string;
  readonly credentials?: string;
  readonly seconds?: string;
  readonly seed?: string;
  /** False with --no-history. */
  readonly history: boolean;
  readonly quiet?: boolean;
}

/** Runs it. Ctrl-C stops cleanly: what was made is sent and acknowledged, or counted as given up. */
export async function simulateCommand(file: string, flags: SimulateFlags): Promise<void> {
  const scenario = parseScenario(read(file), basename(file));
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  await runScenario(
    {
      ...scenario,
      ...(flags.seconds !== undefined && { durationMs: Number(flags.seconds) * 1000 }),
      ...(flags.seed !== undefined && { seed: Number(flags.seed) }),
    },
    {
      folder: dirname(file),
      history: flags.history,
      signal: stopping.signal,
      ...(flags.host !== undefined && { host: flags.host }),
      ...(flags.port !== undefined && { port: Number(flags.port) }),
      ...(flags.organization !== undefined && { organization: flags.organization }),
      ...(flags.credentials !== undefined && {
        credentials: parseCredentials(read(flags.credentials), basename(flags.credentials)),
      }),
      ...(flags.quiet !== true && { print: console.log }),
    },
  );
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new FieldlineError('NOT_FOUND', `simulate: ${messageOf(error)}`);
  }
}
