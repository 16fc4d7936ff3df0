/** Watches a process from outside (Linux /proc): resident memory over time and CPU seconds by thread. */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

export interface ProcessReport {
  readonly residentPeakMb: number;
  readonly residentEndMb: number;
  /** CPU seconds by thread name while it was watched; native threads are added up under their name. */
  readonly cpuByThread: ReadonlyMap<string, number>;
}

export class ProcessWatch {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  readonly #atStart: Map<string, number>;
  #peakMb = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#atStart = this.#cpu();
    this.#timer = setInterval(() => this.#sample(), 500);
  }

  stop(): ProcessReport {
    clearInterval(this.#timer);
    const residentEndMb = this.#sample();
    const cpuByThread = new Map<string, number>();
    for (const [thread, seconds] of this.#cpu()) {
      const name = thread.split('#')[0]!;
      cpuByThread.set(name, (cpuByThread.get(name) ?? 0) + seconds - (this.#atStart.get(thread) ?? 0));
    }
    return { residentPeakMb: this.#peakMb, residentEndMb, cpuByThread };
  }

  #sample(): number {
    const megabytes = residentMb(this.#pid);
    this.#peakMb = Math.max(this.#peakMb, megabytes);
    return megabytes;
  }

  #cpu(): Map<string, number> {
    const seconds = new Map<string, number>();
    for (const thread of namesIn(`/proc/${this.#pid}/task`)) {
      const stat = readOrEmpty(`/proc/${this.#pid}/task/${thread}/stat`);
      const end = stat.lastIndexOf(')');
      if (end < 0) continue;
      const fields = stat.slice(end + 2).split(' ');
      const name = stat.slice(stat.indexOf('(') + 1, end);
      seconds.set(`${name}#${thread}`, (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND);
    }
    return seconds;
  }
}

/** Resident memory of a process; 0 where it is not there any more. */
export function residentMb(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readOrEmpty(`/proc/${pid}/status`));
  return match === null ? 0 : Number(match[1]) / 1024;
}

/** 'main 12.1 s, broker 30.2 s, …', the largest first. */
export function cpuWords(report: ProcessReport): string {
  return [...report.cpuByThread]
    .sort((a, b) => b[1] - a[1])
    .filter(([, seconds]) => seconds >= 0.1)
    .map(([name, seconds]) => `${name} ${seconds.toFixed(1)} s`)
    .join(', ');
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // The thread has just ended.
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // The process has just ended, or this is not Linux.
  }
}
