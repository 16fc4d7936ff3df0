/** System door: what pipeline, broker and ingest write in bulk, over all organisations. Every call may be repeated. */
import { type DomainEvent, MICROS_PER_MILLI, type Micros } from '@fieldline/model';
import { lt, sql } from 'drizzle-orm';
import type { Database } from '../database/database.ts';
import type { ConnectivityUpdate, IngestReceipt, LastSeenUpdate } from '../rows.ts';
import { events, ingestReceipts, refreshFamilies, revocations } from '../schema/index.ts';
import { REVOCATION_AGE_MAX_MS } from '../session-memory.ts';
import { integerArray, jsonArray, textArray, time, timeArray, uuidArray } from './arrays.ts';

/** Returns how many were new, and how many belong to an organisation that there is not. */
export function insertEvents(
  database: Database,
  list: readonly DomainEvent[],
): Promise<{ inserted: number; unknownOrganization: number }> {
  return database.transaction('system', async (queries) => {
    const result = await queries.execute<{ inserted: string; known: string }>(sql`
      with r as (
        select * from unnest(
          ${uuidArray(list.map((event) => event.id))}, ${uuidArray(list.map((event) => event.organizationId))},
          ${textArray(list.map((event) => event.type))}, ${textArray(list.map((event) => event.subjectKind))},
          ${textArray(list.map((event) => event.subjectId))}, ${timeArray(list.map((event) => event.time))},
          ${jsonArray(list.map((event) => event.payload))}
        ) as r (id, organization_id, type, subject_kind, subject_id, time, payload)
        where exists (select from fieldline.organizations o where o.id = r.organization_id)
      ), inserted as (
        insert into fieldline.events (id, organization_id, type, subject_kind, subject_id, time, payload)
        select * from r on conflict (id) do nothing returning 1
      )
      select (select count(*) from inserted) as inserted, (select count(*) from r) as known`);
    const { inserted, known } = result.rows[0]!;
    return { inserted: Number(inserted), unknownOrganization: list.length - Number(known) };
  });
}

export async function setConnectivity(database: Database, updates: readonly ConnectivityUpdate[]): Promise<void> {
  if (updates.length === 0) return;
  // One row a device, the last one; in one order everywhere, against deadlocks.
  const last = lastOf(updates);
  await database.transaction('system', (queries) =>
    queries.execute(sql`
      insert into fieldline.device_states as s
        (device_id, organization_id, connectivity_status, connectivity_changed_at, last_seen)
      select d.id, d.organization_id, r.status, r.time, case when r.status = 'online' then r.time end
      from unnest(
        ${uuidArray(last.map((update) => update.deviceId))}, ${uuidArray(last.map((update) => update.organizationId))},
        ${textArray(last.map((update) => update.status))}, ${timeArray(last.map((update) => update.time))}
      ) as r (device_id, organization_id, status, time)
      join fieldline.devices d on d.id = r.device_id and d.organization_id = r.organization_id
      order by d.id
      on conflict (device_id) do update set
        connectivity_status = excluded.connectivity_status,
        connectivity_changed_at = excluded.connectivity_changed_at,
        last_seen = greatest(s.last_seen, excluded.last_seen)
      where s.connectivity_changed_at is null or s.connectivity_changed_at <= excluded.connectivity_changed_at`),
  );
}

export function markOffline(
  database: Database,
  now: Micros,
  onlineIds: readonly string[],
): Promise<{ organizationId: string; deviceId: string }[]> {
  return database.transaction('system', async (queries) => {
    const result = await queries.execute<{ organizationId: string; deviceId: string }>(sql`
      update fieldline.device_states set connectivity_status = 'offline', connectivity_changed_at = ${time(now)}
      where connectivity_status = 'online' and not device_id = any (${uuidArray(onlineIds)})
      returning organization_id as "organizationId", device_id as "deviceId"`);
    return result.rows;
  });
}

export async function touchLastSeen(database: Database, updates: readonly LastSeenUpdate[]): Promise<void> {
  if (updates.length === 0) return;
  const last = lastOf(updates);
  await database.transaction('system', (queries) =>
    queries.execute(sql`
      insert into fieldline.device_states as s (device_id, organization_id, connectivity_status, last_seen)
      select d.id, d.organization_id, 'unknown', r.time
      from unnest(
        ${uuidArray(last.map((update) => update.deviceId))}, ${uuidArray(last.map((update) => update.organizationId))},
        ${timeArray(last.map((update) => update.time))}
      ) as r (device_id, organization_id, time)
      join fieldline.devices d on d.id = r.device_id and d.organization_id = r.organization_id
      order by d.id
      on conflict (device_id) do update set last_seen = greatest(s.last_seen, excluded.last_seen)`),
  );
}

export async function insertReceipts(database: Database, receipts: readonly IngestReceipt[]): Promise<void> {
  if (receipts.length === 0) return;
  await database.transaction('system', (queries) =>
    queries.execute(sql`
      insert into fieldline.ingest_receipts (id, organization_id, api_key_id, received_time, record_count, ranges)
      select * from unnest(
        ${uuidArray(receipts.map((receipt) => receipt.id))}, ${uuidArray(receipts.map((receipt) => receipt.organizationId))},
        ${uuidArray(receipts.map((receipt) => receipt.apiKeyId))},
        ${timeArray(receipts.map((receipt) => receipt.receivedTime))},
        ${integerArray(receipts.map((receipt) => receipt.recordCount))},
        ${jsonArray(receipts.map((receipt) => receipt.ranges))}
      ) on conflict (id) do nothing`),
  );
}

export function prune(
  database: Database,
  now: Micros,
  ages: { readonly eventsMs: number; readonly receiptsMs: number },
): Promise<number> {
  const before = (ageMs: number): Micros => Math.max(0, now - ageMs * MICROS_PER_MILLI);
  return database.transaction('system', async (queries) => {
    const results = [
      await queries.delete(events).where(lt(events.time, before(ages.eventsMs))),
      await queries.delete(ingestReceipts).where(lt(ingestReceipts.receivedTime, before(ages.receiptsMs))),
      await queries.delete(refreshFamilies).where(lt(refreshFamilies.expiresAt, now)),
      await queries.delete(revocations).where(lt(revocations.createdAt, before(2 * REVOCATION_AGE_MAX_MS))),
    ];
    return results.reduce((sum, result) => sum + (result.rowCount ?? 0), 0);
  });
}

/** Of several updates of one device the one with the latest time, and of equal ones the last. */
function lastOf<T extends { readonly deviceId: string; readonly time: Micros }>(updates: readonly T[]): T[] {
  const last = new Map<string, T>();
  for (const update of updates) {
    const before = last.get(update.deviceId);
    if (before === undefined || update.time >= before.time) last.set(update.deviceId, update);
  }
  return [...last.values()];
}
