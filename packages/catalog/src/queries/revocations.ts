/** Notes that sessions have been ended, and tells every process. Part of the transaction that ends them. */
import { sql } from 'drizzle-orm';
import { CHANNEL, type Queries } from '../database/database.ts';
import { revocations } from '../schema/index.ts';

export interface Revocation {
  readonly organizationId: string;
  readonly userId: string;
  /** null = all sessions whose tokens have a lower version than tokenVersion. */
  readonly familyId: string | null;
  readonly tokenVersion: number | null;
}

/** The notifications of the catalog's channel begin with their kind. */
export const REVOKED = 'revoked ';
export const API_KEY_CHANGED = 'api-key ';

export async function revoke(queries: Queries, revocation: Revocation): Promise<void> {
  const { organizationId, userId, familyId, tokenVersion } = revocation;
  const row = { organizationId, userId, familyId, tokenVersion: familyId === null ? tokenVersion : null };
  await queries.insert(revocations).values(row);
  await notify(queries, REVOKED + JSON.stringify(row));
}

/** Sent to all processes when the transaction commits. */
export async function notify(queries: Queries, payload: string): Promise<void> {
  await queries.execute(sql`select pg_notify(${CHANNEL}, ${payload})`);
}
