/**
 * Loaded into every thread of a program (`node --import`): looks again and again whether somebody has changed what all objects
 * share, and writes it to the file of FIELDLINE_TEST_PROTOTYPE_REPORT, where every thread that looks says so first.
 */
import { appendFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';

const report = process.env.FIELDLINE_TEST_PROTOTYPE_REPORT;
const INTERVAL_MS = 20;
const watched = { Object, Array, Function, String, Number, Map, Set, Promise, Buffer, Error };

type Known = ReadonlyMap<PropertyKey, unknown>;

function properties(prototype: object): Known {
  const known = new Map<PropertyKey, unknown>();
  for (const key of Reflect.ownKeys(prototype)) {
    const { value, get, set } = Object.getOwnPropertyDescriptor(prototype, key)!;
    known.set(key, value ?? get ?? set);
  }
  return known;
}

function changesOf(before: Known, now: Known): string[] {
  const keys = new Set([...before.keys(), ...now.keys()]);
  return [...keys].filter((key) => before.get(key) !== now.get(key)).map(String);
}

if (report !== undefined) {
  const say = (line: string): void => appendFileSync(report, `${process.pid}/${threadId} ${line}\n`);
  const before = Object.entries(watched).map(([name, { prototype }]) => ({
    name,
    prototype: prototype as object,
    known: properties(prototype),
  }));
  say('looks');
  setInterval(() => {
    for (const entry of before) {
      const now = properties(entry.prototype);
      const changes = changesOf(entry.known, now);
      entry.known = now;
      if (changes.length > 0) say(`changed ${entry.name}.prototype: ${changes.join(', ')}`);
    }
  }, INTERVAL_MS).unref();
}
