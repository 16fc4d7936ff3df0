/**
 * The database behind the catalog: transactions through one of two doors, notifications, and nothing else. Two adapters:
 * postgres.ts and ../pglite/pglite.ts. A transaction begins by taking on the door's role, which ends with it; the role that
 * is logged in has no rights of its own, so a statement outside a door is refused by the database.
 */
import { isIP } from 'node:net';
import { FieldlineError, systemClock } from '@fieldline/kit';
import { isId } from '@fieldline/model';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import type pg from 'pg';
import type { Scope } from '../catalog.ts';
import type { Actor } from '../rows.ts';
import { isRetryable, translateError } from './errors.ts';

/** What statements are made with inside a transaction. */
export type Queries = NodePgDatabase;

export type Door = 'system' | Scope;

export interface Database {
  /** Runs the work in one transaction; a serialisation failure or a deadlock runs it again, at most twice. */
  transaction<T>(door: Door, work: (queries: Queries) => Promise<T>): Promise<T>;
  /**
   * Calls back with each notification on the catalog's channel, and with null where some may have been missed (the
   * connection was away). One listener; set it once.
   */
  onNotification(listener: (payload: string | null) => void): void;
  /** How often whoever waits for notifications should look by itself; null = never, they cannot be missed. */
  readonly pollIntervalMs: number | null;
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** Where triggers and the catalog's own statements notify. */
export const CHANNEL = 'fieldline_catalog';

const ATTEMPTS_MAX = 3;
const NO_SITE = '00000000-0000-0000-0000-000000000000';

/** The statements that open a transaction through a door. Scope values are checked to be UUIDs, so they can stand in the text. */
export function openingOf(door: Door): string {
  if (door === 'system') return 'begin; set local role fieldline_system';
  const sites = door.siteIds === null ? '*' : door.siteIds.length === 0 ? NO_SITE : door.siteIds.join(',');
  if (!isId(door.organizationId) || !(door.siteIds ?? []).every(isId)) {
    throw new FieldlineError('INTERNAL', 'a scope must be made of UUIDs');
  }
  return (
    'begin; set local role fieldline_tenant; ' +
    `select set_config('fieldline.organization_id', '${door.organizationId}', true), set_config('fieldline.site_ids', '${sites}', true), ` +
    `set_config('fieldline.actor', '${actorText(door.actor)}', true)`
  );
}

/** JSON whose parts are checked, so that it can stand in a statement; '' = the system. */
function actorText(actor: Actor | undefined): string {
  if (actor === undefined) return '';
  const { kind, id, address } = actor;
  if (!isId(id)) throw new FieldlineError('INTERNAL', 'an actor must have a UUID');
  // Without the zone of a link-local address, which may be any text.
  const plain = address?.split('%', 1)[0] ?? '';
  return JSON.stringify({ kind, id, ...(isIP(plain) !== 0 && { address: plain }) });
}

const queriesOf = new WeakMap<pg.ClientBase, Queries>();

/** One attempt after the other at a transaction on this connection, which nobody else uses meanwhile. */
export async function runTransaction<T>(
  client: pg.ClientBase,
  door: Door,
  work: (queries: Queries) => Promise<T>,
): Promise<T> {
  let queries = queriesOf.get(client);
  if (queries === undefined) {
    queries = drizzle(client as pg.Client, { casing: 'snake_case' });
    queriesOf.set(client, queries);
  }
  for (let attempt = 1; ; attempt++) {
    try {
      await client.query(openingOf(door));
      const result = await work(queries);
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch(() => {
        // The connection is gone, and the transaction with it: the first error tells the reason.
      });
      if (attempt < ATTEMPTS_MAX && isRetryable(error)) continue;
      throw translateError(error);
    }
  }
}

/** Asks the database anything; UNAVAILABLE where it does not answer in time. */
export async function pingWith(query: () => Promise<unknown>, timeoutMs = 5_000): Promise<void> {
  const startedMs = systemClock.monotonicMs();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const waitedMs = Math.round(systemClock.monotonicMs() - startedMs);
      reject(new FieldlineError('UNAVAILABLE', `catalog: the database has not answered for ${waitedMs} ms`));
    }, timeoutMs);
  });
  try {
    await Promise.race([query(), late]);
  } catch (error) {
    throw translateError(error);
  } finally {
    clearTimeout(timer);
  }
}
