/** Eclipse Paho for Python as a stock client; paho-client.py is the other half. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { until } from '../harness.ts';
import type { ReceivedMessage, StockClient } from './stock-client.ts';

const PROGRAM = fileURLToPath(new URL('paho-client.py', import.meta.url));

/** Whether the python3 that is found first has Paho. */
export function hasPaho(): boolean {
  return spawnSync('python3', ['-c', 'import paho.mqtt.client']).status === 0;
}

export const paho: StockClient = {
  name: 'Paho',
  supports: new Set(['websocket', 'no local', 'retain options', 'quiet leave']),

  async subscribe(address, request) {
    const child = start({ address, subscribe: request }, 'pipe');
    const received: ReceivedMessage[] = [];
    let subscribed = false;
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (line === '"subscribed"') subscribed = true;
      else received.push(JSON.parse(line));
    });
    await until(() => subscribed || child.exitCode !== null, 'Paho has subscribed', 15_000);
    const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const stop = (): Promise<void> => {
      child.stdin!.end();
      return exit;
    };
    return {
      received,
      say: (message) => void child.stdin!.write(`${JSON.stringify(message)}\n`),
      stop,
      kill: () => void child.kill('SIGKILL'),
    };
  },

  async publish(address, clientId, messages) {
    const child = start({ address, clientId, publish: messages }, 'ignore');
    const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
    if (code !== 0) throw new Error(`Paho ended with ${code}`);
  },

  async visit(address, request) {
    const child = start({ address, visit: request }, 'ignore');
    const ended = once(child, 'exit');
    const told = await text(child.stdout!);
    const [code] = await ended;
    if (code !== 0) throw new Error(`Paho ended with ${code}`);
    return JSON.parse(told);
  },
};

function start(request: object, input: 'pipe' | 'ignore'): ChildProcess {
  return spawn('python3', ['-B', PROGRAM, JSON.stringify(request)], { stdio: [input, 'pipe', 'inherit'] });
}
