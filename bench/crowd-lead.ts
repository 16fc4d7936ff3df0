/** Starts a crowd of MQTT clients (crowd.ts) as a process of its own and gives it one task after the other. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface CrowdClient {
  readonly clientId: string;
  /** Where it publishes. */
  readonly topic: string;
  readonly userName?: string;
  readonly password?: string;
}

export type CrowdTask =
  | {
      readonly kind: 'open';
      readonly host: string;
      readonly port: number;
      /** PEM of the authority: TLS. Absent: plain TCP. */
      readonly ca?: string;
      /** MQTT over WebSocket. */
      readonly webSocket?: boolean;
      readonly clients: readonly CrowdClient[];
      readonly concurrency: number;
      readonly keepAliveS: number;
      readonly limitMs: number;
    }
  | {
      readonly kind: 'publish';
      readonly messagesPerSecond: number;
      readonly seconds: number;
      readonly payload: string;
      readonly limitMs: number;
    }
  | {
      readonly kind: 'send';
      /** Packets in base64, by the number of the client. */
      readonly packets: readonly { readonly client: number; readonly packets: readonly string[] }[];
      /** 9 SUBACK, 4 PUBACK, 3 PUBLISH. */
      readonly answerType: 9 | 4 | 3;
      readonly answers: number;
      readonly limitMs: number;
    }
  | { readonly kind: 'close' };

export interface CrowdReport {
  /** What was done: accepted, acknowledged, answered, closed. */
  readonly count: number;
  readonly milliseconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How late the crowd itself was in doing what was due: it is in its latencies, too. */
  readonly ownDelayP99Ms: number;
  /** Connections that are closed by now. */
  readonly closed: number;
  readonly cpuSeconds: number;
}

export class CrowdLead {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./crowd.ts', import.meta.url)), { execArgv: [] });
  }

  /** One task at a time. */
  async perform(task: CrowdTask): Promise<CrowdReport> {
    this.#child.send(task);
    const [report] = await Promise.race([
      once(this.#child, 'message'),
      once(this.#child, 'exit').then(() => {
        throw new Error('the crowd has ended');
      }),
    ]);
    return report as CrowdReport;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
