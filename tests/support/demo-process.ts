/** README's demo command, run as a user would in a terminal, on free ports and a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Demo {
  readonly process: ChildProcess;
  readonly url: string;
  /** The administrator's password where this start has made one up. */
  readonly password: string | null;
}

const START_TIMEOUT_MS = 180_000;

/** Starts `npm run demo` and resolves when it has said what to look at. `say` gets each of its lines. */
export async function startDemo(dataDir: string, say: (line: string) => void = () => {}): Promise<Demo> {
  const child = spawn('npm', ['run', '--silent', 'demo'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, FIELDLINE_DATA_DIR: dataDir, FIELDLINE_API_PORT: '0', FIELDLINE_BROKER_PORT: '0' },
  });
  const lines: string[] = [];
  const found = await new Promise<{ url: string; password: string | null }>((resolve, reject) => {
    const look = (line: string): void => {
      lines.push(line);
      say(line);
      const url = /(http:\/\/\S+)/.exec(lines.find((text) => text.includes('Web UI')) ?? '')?.[1];
      const password = /Password\s+(\S+)/.exec(lines.join('\n'))?.[1] ?? null;
      if (url !== undefined && line.includes('Ctrl-C')) resolve({ url, password });
    };
    createInterface(child.stderr!).on('line', look);
    createInterface(child.stdout!).on('line', look);
    child.on('exit', (code) => reject(new Error(`the demo ended with code ${code}`)));
    setTimeout(
      () => reject(new Error(`the demo was not running after ${START_TIMEOUT_MS / 1000} s`)),
      START_TIMEOUT_MS,
    ).unref();
  });
  return { process: child, ...found };
}

/** Ctrl-C as a terminal sends it: to the whole process group. Resolves with the exit code or the signal. */
export async function pressCtrlC(demo: Demo): Promise<string> {
  const exit = once(demo.process, 'exit');
  process.kill(-demo.process.pid!, 'SIGINT');
  const [code, signal] = (await exit) as [number | null, string | null];
  return signal ?? String(code);
}
