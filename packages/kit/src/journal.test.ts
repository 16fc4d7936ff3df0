import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DiskFile, diskError, type OpenDiskFile, openDiskFile } from './disk-file.ts';
import { isFieldlineError } from './errors.ts';
import { type Journal, openJournal, readJournal } from './journal.ts';
import { JOURNAL_HEADER_BYTES, journalHeader, RECORD_HEADER_BYTES } from './journal-format.ts';

let folder: string;
let lastName = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fieldline-journal-'));
});
afterAll(() => rm(folder, { recursive: true }));

const newPath = (): string => join(folder, `journal-${++lastName}`);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textsOf = (records: readonly Uint8Array[]): string[] => records.map((record) => Buffer.from(record).toString());

async function journalWith(path: string, texts: string[]): Promise<void> {
  const { journal } = await openJournal(path);
  await Promise.all(texts.map((text) => journal.append(bytesOf(text))));
  await journal.close();
}

async function reopen(path: string): Promise<{ texts: string[]; damage: readonly string[] }> {
  const { journal, records, damage } = await openJournal(path);
  await journal.close();
  return { texts: textsOf(records), damage };
}

const TEXTS = ['first', '', 'third with more bytes', 'x', 'last one'];

describe('a journal', () => {
  it('gives back what was appended, in the order of the calls', async () => {
    const path = newPath();
    await journalWith(path, TEXTS);
    expect(await reopen(path)).toEqual({ texts: TEXTS, damage: [] });
    await journalWith(path, ['after']);
    expect((await reopen(path)).texts).toEqual([...TEXTS, 'after']);
  });

  it('writes appends that arrive during a flush together', async () => {
    let syncs = 0;
    const openFile = withFaults({
      sync: () => {
        syncs += 1;
      },
    });
    const { journal } = await openJournal(newPath(), { openFile });
    const before = syncs;
    await Promise.all(Array.from({ length: 200 }, (_, n) => journal.append(bytesOf(`record ${n}`))));
    expect(syncs - before).toBeLessThanOrEqual(2);
    await journal.close();
  });

  it('replaces its content; appends made meanwhile come after it', async () => {
    const path = newPath();
    const { journal } = await openJournal(path);
    const all = [
      journal.append(bytesOf('old')),
      journal.rewrite([bytesOf('snapshot')]),
      journal.append(bytesOf('new')),
    ];
    await Promise.all(all);
    expect(journal.byteLength).toBe((await readFile(path)).length);
    await journal.close();
    expect((await reopen(path)).texts).toEqual(['snapshot', 'new']);
  });

  it('is replaced bit by bit while appends go on: they are on disk at once, and come after the new content', async () => {
    const path = newPath();
    const { journal } = await openJournal(path);
    await journal.append(bytesOf('old'));
    async function* snapshot(): AsyncGenerator<Uint8Array> {
      yield bytesOf('one');
      await journal.append(bytesOf('meanwhile'));
      expect((await readJournal(path)).records.length).toBe(2);
      yield bytesOf('two');
      void journal.append(bytesOf('at its end'));
    }
    await journal.replace(snapshot());
    await journal.append(bytesOf('after'));
    expect(journal.byteLength).toBe((await readFile(path)).length);
    await journal.close();
    expect(await reopen(path)).toEqual({ texts: ['one', 'two', 'meanwhile', 'at its end', 'after'], damage: [] });
  });

  it.each([
    ['closed', (journal: Journal) => void journal.close(), ['old']],
    ['rewritten', (journal: Journal) => void journal.rewrite([bytesOf('all')]), ['all']],
  ])('that is %s while it is being replaced keeps what it had', async (_, interrupt, texts) => {
    const path = newPath();
    const { journal } = await openJournal(path);
    await journal.append(bytesOf('old'));
    async function* snapshot(): AsyncGenerator<Uint8Array> {
      yield bytesOf('one');
      interrupt(journal);
      // One full round of the disk, so that a rewrite is through.
      await journal.append(bytesOf('')).catch(() => {});
      yield bytesOf('two');
    }
    await expect(journal.replace(snapshot())).rejects.toThrow(path);
    await journal.close();
    expect((await reopen(path)).texts.filter((text) => text !== '')).toEqual(texts);
    expect((await readdir(folder)).filter((name) => join(folder, name).startsWith(`${path}.`))).toEqual([]);
  });

  it('refuses what is too long, too much, or too late', async () => {
    const { journal } = await openJournal(newPath(), { recordBytesMax: 10, waitingBytesMax: 20 });
    await expect(journal.append(new Uint8Array(11))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    const accepted = [journal.append(new Uint8Array(10)), journal.append(new Uint8Array(10))];
    await expect(journal.append(new Uint8Array(1))).rejects.toMatchObject({ code: 'OVERLOADED' });
    await Promise.all(accepted);
    await journal.append(new Uint8Array(1));
    await Promise.all([journal.close(), journal.close()]);
    await expect(journal.append(new Uint8Array(1))).rejects.toMatchObject({ code: 'STOPPED' });
  });

  it('refuses a newer format and leaves the file as it is', async () => {
    const path = newPath();
    await writeFile(path, journalHeader(2));
    await expect(openJournal(path)).rejects.toMatchObject({ code: 'FORMAT_TOO_NEW' });
    expect(await readFile(path)).toEqual(Buffer.from(journalHeader(2)));
  });
});

describe('a journal after a crash', () => {
  it('cuts off an end that is torn at any byte, without calling it damage', async () => {
    const path = newPath();
    await journalWith(path, TEXTS);
    const whole = await readFile(path);
    for (let length = JOURNAL_HEADER_BYTES; length < whole.length; length += 1) {
      await writeFile(path, whole.subarray(0, length));
      const { texts, damage } = await reopen(path);
      expect(damage).toEqual([]);
      expect(texts).toEqual(TEXTS.slice(0, texts.length));
      const intact = texts.reduce((sum, text) => sum + RECORD_HEADER_BYTES + text.length, JOURNAL_HEADER_BYTES);
      expect((await readFile(path)).length).toBe(intact);
      expect(length - intact).toBeLessThan(RECORD_HEADER_BYTES + (TEXTS[texts.length]?.length ?? 0));
    }
  });

  it('cuts off zeros that a power cut left at the end', async () => {
    const path = newPath();
    await journalWith(path, TEXTS);
    await appendFile(path, Buffer.alloc(4096));
    expect(await reopen(path)).toEqual({ texts: TEXTS, damage: [] });
  });

  it('finds every flipped bit, keeps the other records and a copy of the damaged file', async () => {
    const path = newPath();
    await journalWith(path, TEXTS);
    const whole = await readFile(path);
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const flipped = Buffer.from(whole);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await writeFile(path, flipped);
      const { texts, damage } = await reopen(path);
      expect(damage.length, `bit ${bit}`).toBeGreaterThan(0);
      for (const text of texts) expect(TEXTS, `bit ${bit}`).toContain(text);
      expect(texts.length, `bit ${bit}`).toBeGreaterThanOrEqual(TEXTS.length - 1);
      expect(await readFile(`${path}.1.damaged`)).toEqual(flipped);
      await rm(`${path}.1.damaged`);
      expect(await reopen(path), 'mended by the first opening').toEqual({ texts, damage: [] });
    }
  });

  it('numbers the copies it keeps and says where damage stands', async () => {
    const path = newPath();
    for (const text of ['a', 'b']) {
      await journalWith(path, [text, text]);
      const bytes = await readFile(path);
      bytes[JOURNAL_HEADER_BYTES + RECORD_HEADER_BYTES]! ^= 1;
      await writeFile(path, bytes);
      expect((await reopen(path)).damage[0]).toContain(`${path} at byte ${JOURNAL_HEADER_BYTES}:`);
    }
    const names = await readdir(folder);
    expect(names.filter((name) => join(folder, name).startsWith(`${path}.`)).length).toBe(2);
  });

  it('leaves a file that is no journal aside and starts empty', async () => {
    const path = newPath();
    await writeFile(path, 'something else altogether');
    const { texts, damage } = await reopen(path);
    expect(texts).toEqual([]);
    expect(damage.length).toBeGreaterThan(0);
    expect(await readFile(`${path}.1.damaged`, 'utf8')).toBe('something else altogether');
    await truncate(path, 5);
    expect((await reopen(path)).damage[0]).toContain('fewer than its header');
  });
});

describe('a journal on a failing disk', () => {
  it('rejects with DISK_FULL, removes the part that was written, and goes on when there is room', async () => {
    const path = newPath();
    let full = false;
    const openFile = withFaults({
      write: async (file, buffers, at) => {
        if (!full) return;
        await file.write([buffers[0]!.subarray(0, 5)], at);
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      },
    });
    const { journal } = await openJournal(path, { openFile });
    await journal.append(bytesOf('before'));
    full = true;
    const rejected = await journal.append(bytesOf('during')).catch((error: unknown) => error);
    expect(isFieldlineError(rejected, 'DISK_FULL')).toBe(true);
    expect((await readFile(path)).length).toBe(journal.byteLength);
    full = false;
    await journal.append(bytesOf('after'));
    await journal.close();
    expect(await reopen(path)).toEqual({ texts: ['before', 'after'], damage: [] });
  });

  it('takes nothing more after a failed flush until it has been rewritten', async () => {
    const path = newPath();
    let failing = false;
    const openFile = withFaults({
      sync: () => {
        if (failing) throw new Error('EIO: i/o error, fdatasync');
      },
    });
    const { journal } = await openJournal(path, { openFile });
    failing = true;
    await expect(journal.append(bytesOf('lost'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    failing = false;
    await expect(journal.append(bytesOf('refused'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await journal.rewrite([bytesOf('snapshot')]);
    await journal.append(bytesOf('after'));
    await journal.close();
    expect((await reopen(path)).texts).toEqual(['snapshot', 'after']);
  });
});

describe('a journal that is being replaced on a failing disk', () => {
  it('keeps the old content where the new one cannot be written, and tries again when told to', async () => {
    const path = newPath();
    let full = false;
    const openFile = withFaults({
      write: async (file) => {
        if (full && file.path.endsWith('.replacement')) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      },
    });
    const { journal } = await openJournal(path, { openFile });
    await journal.append(bytesOf('before'));
    async function* snapshot(): AsyncGenerator<Uint8Array> {
      full = true;
      yield bytesOf('snapshot');
    }
    await expect(journal.replace(snapshot())).rejects.toMatchObject({ code: 'DISK_FULL' });
    await journal.append(bytesOf('after'));
    expect(await readJournal(path)).toMatchObject({ damage: [], tornBytes: 0 });
    full = false;
    async function* again(): AsyncGenerator<Uint8Array> {
      yield bytesOf('again');
    }
    await journal.replace(again());
    await journal.close();
    expect((await reopen(path)).texts).toEqual(['again']);
  });

  it('is mended by it after a failed flush', async () => {
    const path = newPath();
    let failing = false;
    const openFile = withFaults({
      sync: () => {
        if (failing) throw new Error('EIO: i/o error, fdatasync');
      },
    });
    const { journal } = await openJournal(path, { openFile });
    failing = true;
    await expect(journal.append(bytesOf('lost'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    failing = false;
    async function* snapshot(): AsyncGenerator<Uint8Array> {
      yield bytesOf('snapshot');
    }
    await journal.replace(snapshot());
    await journal.append(bytesOf('after'));
    await journal.close();
    expect((await reopen(path)).texts).toEqual(['snapshot', 'after']);
  });
});

interface Faults {
  readonly write?: (file: DiskFile, buffers: readonly Uint8Array[], fileOffset: number) => Promise<void>;
  readonly sync?: () => void;
}

/** Real files whose calls may be made to fail. */
function withFaults(faults: Faults): OpenDiskFile {
  return async (path, mode) => {
    const file = await openDiskFile(path, mode);
    const faulty = Object.create(file, {
      write: {
        value: async (buffers: readonly Uint8Array[], at: number) => {
          try {
            await faults.write?.(file, buffers, at);
          } catch (error) {
            throw diskError('writing to', path, error);
          }
          await file.write(buffers, at);
        },
      },
      sync: {
        value: async () => {
          faults.sync?.();
          await file.sync();
        },
      },
      truncate: { value: (length: number) => file.truncate(length) },
      close: { value: () => file.close() },
    });
    return faulty as DiskFile;
  };
}
