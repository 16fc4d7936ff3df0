/**
 * A disk that forgets: what of a folder survives a power cut at any moment of a recording. In: calls; out: the folder as it
 * would be found. Kept is what a completed fsync or fdatasync covers: of files their content, of folders their names (a file
 * whose folder was not flushed is not there, however well it was flushed itself). Of what was not flushed yet everything may
 * be missing, or any part of it may be there: whole writes, halves of them, out of order.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { SystemCall } from './system-calls.ts';

/** What happens to writes and names that were not flushed: none is kept, or some are, by chance. */
export type Unflushed = 'lost' | (() => number);

const PAGE_BYTES = 4096;

interface Change {
  readonly endedAt: number;
  readonly fileOffset: number;
  /** null: the file got the length fileOffset. */
  readonly data: Buffer | null;
}

interface File {
  readonly kind: 'file';
  content: Buffer;
  byteLength: number;
  unflushed: Change[];
}

interface NameChange {
  readonly endedAt: number;
  /** Name → what it stands for from now on; null = nothing. */
  readonly names: readonly (readonly [string, File | Folder | null])[];
}

interface Folder {
  readonly kind: 'folder';
  /** As the running process sees it. */
  readonly names: Map<string, File | Folder>;
  /** As it would be found. */
  readonly kept: Map<string, File | Folder>;
  unflushed: NameChange[];
}

type Node = File | Folder;

export class RecordedDisk {
  readonly #root: string;
  readonly #tree: Folder;
  #calls: readonly SystemCall[] = [];
  /** Syncs that have begun: what they will have made durable at their end. */
  #syncs: { endedAt: number; commit: () => void }[] = [];
  readonly #removed = new Map<string, Node>();
  #next = 0;

  /** @param root an existing folder; what is in it now counts as flushed, so this comes before the recording */
  constructor(root: string) {
    this.#root = root;
    this.#tree = flushedFolder(root);
  }

  /** Takes the calls of a recording, in the order of their beginnings. */
  take(calls: readonly SystemCall[]): void {
    this.#calls = calls;
  }

  /** Goes on to this moment; moments are asked for in ascending order. */
  advanceTo(time: number): void {
    for (; this.#next < this.#calls.length; this.#next++) {
      const call = this.#calls[this.#next]!;
      if (call.startedAt > time) break;
      this.#finishSyncs(call.startedAt);
      this.#apply(call);
    }
    this.#finishSyncs(time);
  }

  /** True where these bytes would be found in some file whose path (below the root) begins so. */
  holds(bytes: Buffer, pathStart = ''): boolean {
    const look = (node: Node, path: string): boolean => {
      if (node.kind === 'folder') return [...node.kept].some(([name, below]) => look(below, `${path}/${name}`));
      return path.slice(1).startsWith(pathStart) && node.content.subarray(0, node.byteLength).includes(bytes);
    };
    return look(this.#tree, '');
  }

  /** Writes the folder as it would be found into `target`. */
  writeTo(target: string, unflushed: Unflushed): void {
    write(this.#tree, target, unflushed);
  }

  #finishSyncs(time: number): void {
    const ended = this.#syncs.filter(({ endedAt }) => endedAt <= time);
    if (ended.length === 0) return;
    for (const { commit } of ended.sort((a, b) => a.endedAt - b.endedAt)) commit();
    this.#syncs = this.#syncs.filter(({ endedAt }) => endedAt > time);
  }

  #apply(call: SystemCall): void {
    const path = this.#inside(call.path);
    if (path === null) return;
    const { name } = call;
    if (name === 'openat') this.#open(path, call);
    else if (name.startsWith('mkdir')) this.#name(path, newFolder(), call.endedAt);
    else if (name.startsWith('unlink') || name === 'rmdir') this.#remove(path, call.endedAt);
    else if (name.startsWith('rename')) this.#rename(path, this.#inside(call.newPath)!, call.endedAt);
    else if (name === 'fsync' || name === 'fdatasync') this.#sync(path, call);
    else if (name.includes('truncate')) this.#file(path).unflushed.push({ ...call, data: null });
    else if (name.includes('pwrite')) this.#file(path).unflushed.push(call);
    else if (name === 'write' || name === 'writev') this.#append(this.#file(path), call);
    else throw new Error(`a recorded disk does not know ${name} (${call.path})`);
  }

  #inside(path: string): string | null {
    return path.startsWith(`${this.#root}/`) || path === this.#root ? path.slice(this.#root.length + 1) : null;
  }

  #open(path: string, { flags, endedAt }: SystemCall): void {
    if (/O_D?SYNC|O_TMPFILE/.test(flags)) throw new Error(`a recorded disk does not know ${flags} (${path})`);
    const node = this.#find(path);
    if (node === undefined) {
      if (flags.includes('O_CREAT')) this.#name(path, newFile(), endedAt);
    } else if (node.kind === 'file' && flags.includes('O_TRUNC')) {
      node.unflushed.push({ endedAt, fileOffset: 0, data: null });
    }
  }

  /** Writes without a place go to the end: nothing here seeks. */
  #append(file: File, { data, endedAt }: SystemCall): void {
    const end = file.unflushed.reduce(
      (length, change) =>
        change.data === null ? change.fileOffset : Math.max(length, change.fileOffset + change.data.length),
      file.byteLength,
    );
    file.unflushed.push({ endedAt, data, fileOffset: end });
  }

  #sync(path: string, { startedAt, endedAt }: SystemCall): void {
    const node = path === '' ? this.#tree : this.#find(path);
    if (node === undefined) return; // Removed meanwhile.
    const isCovered = (change: Change | NameChange): boolean => change.endedAt <= startedAt;
    const commit =
      node.kind === 'file'
        ? takeOver(node, node.unflushed.filter(isCovered), put)
        : takeOver(node, node.unflushed.filter(isCovered), keep);
    this.#syncs.push({ endedAt, commit });
  }

  #name(path: string, node: Node, endedAt: number): void {
    const folder = this.#folder(dirname(path));
    const name = basename(path);
    folder.names.set(name, node);
    folder.unflushed.push({ endedAt, names: [[name, node]] });
  }

  #remove(path: string, endedAt: number): void {
    const folder = this.#folder(dirname(path));
    const name = basename(path);
    const node = folder.names.get(name);
    if (node !== undefined) this.#removed.set(path, node);
    folder.names.delete(name);
    folder.unflushed.push({ endedAt, names: [[name, null]] });
  }

  #rename(from: string, to: string, endedAt: number): void {
    const [source, target] = [this.#folder(dirname(from)), this.#folder(dirname(to))];
    const node = source.names.get(basename(from));
    if (node === undefined) throw new Error(`${from} was renamed and is not known`);
    source.names.delete(basename(from));
    target.names.set(basename(to), node);
    const [gone, come] = [[basename(from), null] as const, [basename(to), node] as const];
    if (source === target) source.unflushed.push({ endedAt, names: [gone, come] });
    else {
      source.unflushed.push({ endedAt, names: [gone] });
      target.unflushed.push({ endedAt, names: [come] });
    }
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#tree;
    for (const name of path.split('/')) node = node?.kind === 'folder' ? node.names.get(name) : undefined;
    return node ?? this.#removed.get(path);
  }

  #folder(path: string): Folder {
    const node = path === '.' ? this.#tree : this.#find(path);
    if (node?.kind !== 'folder') throw new Error(`${path} is no known folder`);
    return node;
  }

  #file(path: string): File {
    const node = this.#find(path);
    if (node?.kind !== 'file') throw new Error(`${path} is no known file`);
    return node;
  }
}

function newFile(): File {
  return { kind: 'file', content: Buffer.alloc(0), byteLength: 0, unflushed: [] };
}

function newFolder(): Folder {
  return { kind: 'folder', names: new Map(), kept: new Map(), unflushed: [] };
}

function flushedFolder(path: string): Folder {
  const folder = newFolder();
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const below = join(path, entry.name);
    const node = entry.isDirectory() ? flushedFolder(below) : flushedFile(below);
    folder.names.set(entry.name, node);
    folder.kept.set(entry.name, node);
  }
  return folder;
}

function flushedFile(path: string): File {
  const content = readFileSync(path);
  return { ...newFile(), content, byteLength: content.length };
}

/** What a sync does at its end with the changes that it covers. */
function takeOver<N extends { unflushed: C[] }, C>(
  node: N,
  covered: C[],
  make: (node: N, change: C) => void,
): () => void {
  return () => {
    const still = new Set(node.unflushed);
    // Another sync may have ended before and covered the same.
    for (const change of covered) if (still.has(change)) make(node, change);
    const done = new Set(covered);
    node.unflushed = node.unflushed.filter((change) => !done.has(change));
  };
}

function keep({ kept }: Pick<Folder, 'kept'>, { names }: NameChange): void {
  for (const [name, node] of names) {
    if (node === null) kept.delete(name);
    else kept.set(name, node);
  }
}

/** Makes the change part of what would be found. */
function put(file: Pick<File, 'content' | 'byteLength'>, { data, fileOffset }: Change): void {
  const end = data === null ? fileOffset : fileOffset + data.length;
  if (end > file.content.length) {
    const grown = Buffer.alloc(Math.max(end, file.content.length * 2));
    file.content.copy(grown, 0, 0, file.byteLength);
    file.content = grown;
  }
  if (data === null) {
    file.content.fill(0, Math.min(end, file.byteLength), Math.max(end, file.byteLength));
    file.byteLength = end;
  } else {
    file.content.set(data, fileOffset);
    file.byteLength = Math.max(file.byteLength, end);
  }
}

function write(node: Node, target: string, unflushed: Unflushed): void {
  if (node.kind === 'file') {
    const { content, byteLength } = unflushed === 'lost' ? node : withSome(node, unflushed);
    writeFileSync(target, content.subarray(0, byteLength));
    return;
  }
  mkdirSync(target, { recursive: true });
  const kept = unflushed === 'lost' ? node.kept : namesWithSome(node, unflushed);
  for (const [name, below] of kept) write(below, join(target, name), unflushed);
}

/** The file with some of its unflushed pages: each is there or not, whatever came before it. */
function withSome(file: File, chance: () => number): Pick<File, 'content' | 'byteLength'> {
  const some = { content: Buffer.from(file.content), byteLength: file.byteLength };
  for (const change of file.unflushed) {
    if (change.data === null) {
      if (chance() < 0.5) put(some, change);
      continue;
    }
    for (let at = 0; at < change.data.length; ) {
      const fileOffset = change.fileOffset + at;
      const length = Math.min(change.data.length - at, PAGE_BYTES - (fileOffset % PAGE_BYTES));
      if (chance() < 0.5) put(some, { ...change, fileOffset, data: change.data.subarray(at, at + length) });
      at += length;
    }
  }
  return some;
}

/** Names change in their order, so the first few unflushed changes may be there. */
function namesWithSome(folder: Folder, chance: () => number): Map<string, Node> {
  const count = Math.floor(chance() * (folder.unflushed.length + 1));
  const found = { kept: new Map(folder.kept) };
  for (const change of folder.unflushed.slice(0, count)) keep(found, change);
  return found.kept;
}
