/**
 * What a process and its children ask of the operating system about files and sockets, as strace writes it down: a file for
 * each thread, each line whole. In: a folder of such files; out: calls in the order in which they began, with their bytes.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A call that succeeded. Times are seconds of the wall clock, to the microsecond. */
export interface SystemCall {
  readonly name: string;
  /** Before the kernel has begun with it. */
  readonly startedAt: number;
  /** The kernel has answered; the process does not know yet. */
  readonly endedAt: number;
  /** Of the descriptor that it is about, or the name that was given; a socket's is 'socket:[number]'. */
  readonly path: string;
  /** rename: the new name. */
  readonly newPath: string;
  /** What was written. */
  readonly data: Buffer;
  /** Where it was written, or the new length; −1 = where the file stands. */
  readonly fileOffset: number;
  /** openat: names of flags. */
  readonly flags: string;
}

const CALLS = [
  'openat,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync,ftruncate,truncate,fallocate',
  'rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,copy_file_range,sendfile',
].join(',');

/** Why strace cannot be used here; null where it can. */
export function straceProblem(): string | null {
  const { status, error } = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']);
  if (error !== undefined) return 'strace is not installed';
  return status === 0 ? null : 'strace may not trace processes here';
}

/** The command to put before a program's own, so that its calls are written into the folder. The process stays the same one. */
export function recording(folder: string): string[] {
  const options = ['-D', '-f', '-ff', '--seccomp-bpf', '-q', '-ttt', '-T', '-y', '-v', '-xx', '-s', '67108864'];
  return ['strace', ...options, '-e', `trace=${CALLS}`, '-o', join(folder, 'thread')];
}

/** Waits until the recording of a process that has ended is complete. */
export async function recordingEnded(folder: string, limitMs = 60_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  for (const name of readdirSync(folder)) {
    while (!/\n\+\+\+ |^\+\+\+ |\d \+\+\+ /.test(readFileSync(join(folder, name), 'latin1').slice(-200))) {
      if (performance.now() > deadline) throw new Error(`strace has not ended the recording ${name}`);
      await sleep(20);
    }
  }
}

/** All successful calls of a recording, in the order in which they began. */
export function readCalls(folder: string): SystemCall[] {
  const calls: SystemCall[] = [];
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name));
    for (let start = 0; start < bytes.length; ) {
      const end = bytes.indexOf(10, start);
      const call = parseCall(bytes.toString('latin1', start, end === -1 ? bytes.length : end));
      if (call !== null) calls.push(call);
      start = end === -1 ? bytes.length : end + 1;
    }
  }
  return calls.sort((a, b) => a.startedAt - b.startedAt);
}

const OUTER = /^(\d+\.\d+) (\w+)\((.*)\) += (\d+)(?:<([^>]*)>)?(?:\([^)]*\))? <(\d+\.\d+)>$/s;

/** `1795265880.644200 pwrite64(3<path>, "bytes", 5, 0) = 5 <0.000014>`; null for what failed or is no call. */
export function parseCall(line: string): SystemCall | null {
  const match = OUTER.exec(line);
  if (match === null) return null;
  const [, time, name, given, answer, answerPath, duration] = match;
  const startedAt = Number(time);
  const parts = given!.split('"');
  const texts = parts.filter((_, index) => index % 2 === 1);
  const about = /<([^>]*)>/.exec(parts[0]!)?.[1];
  const isWrite = name!.includes('write') || name!.startsWith('send');
  const path = name === 'openat' ? textOf(answerPath!) : pathOf(name!, about, texts);
  const numbers = parts
    .at(-1)!
    .split(',')
    .map((part) => Number(part));
  return {
    name: name!,
    startedAt,
    endedAt: startedAt + Number(duration),
    path,
    newPath: name!.startsWith('rename') ? textOf(texts[1]!) : '',
    data: isWrite ? Buffer.concat(texts.map(bytesOf)).subarray(0, Number(answer)) : Buffer.alloc(0),
    fileOffset: name!.startsWith('pwrite') || name!.includes('truncate') ? (numbers.at(-1) ?? -1) : -1,
    flags: name === 'openat' ? parts.at(-1)! : '',
  };
}

/** Calls on a descriptor name it first; others a path, perhaps below the folder of a descriptor. */
function pathOf(name: string, about: string | undefined, texts: readonly string[]): string {
  const isByName = /^(rename|unlink|mkdir|rmdir|truncate|link|symlink)/.test(name);
  if (!isByName) return textOf(about ?? '');
  const path = textOf(texts[0]!);
  return path.startsWith('/') || about === undefined ? path : join(textOf(about), path);
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex');
}

function textOf(hex: string): string {
  return bytesOf(hex).toString();
}
