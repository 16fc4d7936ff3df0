/** Dead letters for the api: read from the log's topic, replayed into the raw one; what was replayed is noted in the catalog. */
import type { DeadLetterAccess, DeadLetterFilter, DeadLetterItem } from '@fieldline/api';
import { type RawBatch, RawBatchBuilder } from '@fieldline/model';
import {
  type DeadLetter,
  type DeadLetterSource,
  findDeadLetter,
  listDeadLetters,
  replayedRecord,
} from '@fieldline/pipeline';
import type { Installation } from './installation.ts';

const TOPIC = 'dead-letters';
/** Letters that one request replays; more are asked for again. */
const REPLAY_MAX = 10_000;
const PAGE = 500;

export function createDeadLetterAccess(of: Installation): DeadLetterAccess {
  const source: DeadLetterSource = {
    bounds: () => of.logReader.bounds(TOPIC),
    read: (partition, from, recordsMax) => of.logReader.read(TOPIC, partition, from, { recordsMax }),
  };
  return {
    list: async ({ organizationId, limit, cursor, ...filter }) => {
      const page = await listDeadLetters(source, scopedFilter(of, organizationId, filter), limit, cursor);
      return { items: await itemsOf(of, organizationId, page.items), nextCursor: page.nextCursor };
    },
    get: async (organizationId, id) => {
      const letter = await findDeadLetter(source, id);
      if (letter === null || letter.organizationId !== organizationId) return null;
      return (await itemsOf(of, organizationId, [letter]))[0]!;
    },
    replay: async ({ organizationId, userId, select }) => {
      const { letters, notFound } =
        'ids' in select
          ? await byIds(source, organizationId, select.ids)
          : { letters: await byFilter(of, source, organizationId, select.filter), notFound: [] };
      if (letters.length > 0) {
        await of.logHost.append('telemetry.raw', replayBatch(letters));
        await of.catalog
          .scoped({ organizationId, siteIds: null })
          .deadLetters.record(
            letters.map(({ partition, position }) => ({ partition, position, action: 'replayed', note: '', userId })),
          );
      }
      return { replayed: letters.length, notFound };
    },
  };
}

/** A device may stand in a dead letter by its id or by its key. */
function scopedFilter(
  of: Installation,
  organizationId: string,
  { code, deviceId }: DeadLetterFilter,
): Parameters<typeof listDeadLetters>[1] {
  const device = deviceId === undefined ? undefined : of.directory.findDevice(organizationId, deviceId);
  const deviceIds = deviceId === undefined ? undefined : device === undefined ? [deviceId] : [device.id, device.key];
  return { organizationId, ...(code !== undefined && { code }), ...(deviceIds !== undefined && { deviceIds }) };
}

async function byIds(
  source: DeadLetterSource,
  organizationId: string,
  ids: readonly string[],
): Promise<{ letters: DeadLetter[]; notFound: string[] }> {
  const letters: DeadLetter[] = [];
  const notFound: string[] = [];
  for (const id of new Set(ids)) {
    const letter = await findDeadLetter(source, id);
    if (letter === null || letter.organizationId !== organizationId) notFound.push(id);
    else letters.push(letter);
  }
  return { letters, notFound };
}

/** Those that match and have not been replayed yet. */
async function byFilter(
  of: Installation,
  source: DeadLetterSource,
  organizationId: string,
  filter: DeadLetterFilter,
): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  let cursor: string | undefined;
  do {
    const page = await listDeadLetters(source, scopedFilter(of, organizationId, filter), PAGE, cursor);
    const replayed = await replayedTimes(of, organizationId, page.items);
    letters.push(...page.items.filter(({ id }) => !replayed.has(id)));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && letters.length < REPLAY_MAX);
  return letters.slice(0, REPLAY_MAX);
}

/** Oldest first, so that replayed records arrive in their order. */
function replayBatch(letters: readonly DeadLetter[]): RawBatch {
  const builder = new RawBatchBuilder(letters.length, 4096);
  const ordered = [...letters].sort((a, b) => a.partition - b.partition || a.position - b.position);
  for (const { origin, receivedTime, payload } of ordered.map(replayedRecord))
    builder.add(origin, receivedTime, payload);
  return builder.take();
}

async function itemsOf(
  of: Installation,
  organizationId: string,
  letters: readonly DeadLetter[],
): Promise<DeadLetterItem[]> {
  const replayed = await replayedTimes(of, organizationId, letters);
  return letters.map(({ id, receivedTime, deadTime, code, message, origin, payload, partial, rejections }) => ({
    id,
    organizationId,
    receivedTime,
    deadTime,
    code,
    message,
    topic: origin.topic,
    deviceId: origin.deviceId,
    codec: origin.codec,
    source: origin.source,
    payload,
    partial,
    rejections,
    replayedAt: replayed.get(id) ?? null,
  }));
}

/** Id → when it was replayed last. */
async function replayedTimes(
  of: Installation,
  organizationId: string,
  letters: readonly DeadLetter[],
): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  const { deadLetters } = of.catalog.scoped({ organizationId, siteIds: null });
  for (const [partition, group] of Map.groupBy(letters, (letter) => letter.partition)) {
    const positions = group.map(({ position }) => position);
    const actions = await deadLetters.list({ partition, from: Math.min(...positions), to: Math.max(...positions) + 1 });
    for (const action of actions) {
      if (action.action === 'replayed') times.set(`${partition}-${action.position}`, action.createdAt);
    }
  }
  return times;
}
