/** System door: log-in by e-mail, ending sessions, API keys. Refresh tokens and signing keys have files of their own. */
import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '@fieldline/kit';
import { isId } from '@fieldline/model';
import { and, eq, isNull, lt, or, sql } from 'drizzle-orm';
import type { Database } from '../database/database.ts';
import { hashPassword, verifyPassword } from '../passwords.ts';
import type { ApiKey, User } from '../rows.ts';
import { apiKeys, refreshFamilies, revocations, users } from '../schema/index.ts';
import { newSecret, sha256 } from '../secrets.ts';
import { REVOCATION_AGE_MAX_MS, type RememberedRevocation, type SessionMemory } from '../session-memory.ts';
import { toApiKey } from './api-keys.ts';
import { time } from './arrays.ts';
import { appendNote } from './audit.ts';
import { revoke } from './revocations.ts';
import { toUser } from './users.ts';

const API_KEY = /^flk_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;
const LAST_USED_STEP_MICROS = 60_000_000;

/** What an unknown e-mail is measured against, so that it takes as long as a known one. Made once. */
let decoyHash: Promise<string> | null = null;

/** `address`: where the attempt came from, for the audit trail. */
export async function logIn(
  database: Database,
  email: string,
  password: string,
  address: string | null = null,
): Promise<User | null> {
  const name = email.trim().toLowerCase();
  const found = await database.transaction('system', async (queries) => {
    const [row] = await queries.select().from(users).where(eq(users.email, name));
    return row;
  });
  decoyHash ??= hashPassword(newSecret('decoy'));
  const right = await verifyPassword(password, found?.passwordHash ?? (await decoyHash));
  if (found === undefined) return null;
  if (found.passwordHash === null || !right || found.disabled) {
    await noteRefusal(database, found, found.disabled ? 'the user is disabled' : 'wrong password', address);
    return null;
  }
  return database.transaction('system', async (queries) => {
    // Disabled, or given another password, while this one was being checked: no longer the one that it was.
    const [row] = await queries
      .update(users)
      .set({ lastLoginAt: sql`now()` })
      .where(and(eq(users.id, found.id), eq(users.disabled, false), eq(users.passwordHash, found.passwordHash!)))
      .returning();
    return row === undefined ? null : toUser(row);
  });
}

/** In the trail of the organisation whose user it would have been. */
async function noteRefusal(
  database: Database,
  { id, organizationId }: Pick<User, 'id' | 'organizationId'>,
  reason: string,
  address: string | null,
): Promise<void> {
  const note = { action: 'sign-in refused', subjectKind: 'user', subjectId: id, details: { reason, address } };
  await database.transaction('system', (queries) => appendNote(queries, organizationId, note));
}

export async function findUser(database: Database, userId: string): Promise<User | null> {
  if (!isId(userId)) return null;
  return database.transaction('system', async (queries) => {
    const [row] = await queries
      .select()
      .from(users)
      .where(and(eq(users.id, userId), eq(users.disabled, false)));
    return row === undefined ? null : toUser(row);
  });
}

export async function endAllSessions(database: Database, userId: string): Promise<void> {
  if (!isId(userId)) return;
  await database.transaction('system', async (queries) => {
    const [row] = await queries
      .update(users)
      .set({ tokenVersion: sql`${users.tokenVersion} + 1` })
      .where(eq(users.id, userId))
      .returning();
    if (row === undefined) return;
    await queries
      .update(refreshFamilies)
      .set({ endedAt: sql`now()` })
      .where(and(eq(refreshFamilies.userId, userId), isNull(refreshFamilies.endedAt)));
    await revoke(queries, { ...row, userId, familyId: null });
  });
}

/** Revocations that living access tokens may still fall under. */
export function youngRevocations(database: Database): Promise<RememberedRevocation[]> {
  return database.transaction('system', (queries) =>
    queries
      .select({ userId: revocations.userId, familyId: revocations.familyId, tokenVersion: revocations.tokenVersion })
      .from(revocations)
      .where(sql`${revocations.createdAt} > now() - make_interval(secs => ${REVOCATION_AGE_MAX_MS / 1000})`),
  );
}

export async function authenticateApiKey(
  database: Database,
  memory: SessionMemory,
  clock: Clock,
  key: string,
): Promise<ApiKey | null> {
  const prefix = API_KEY.exec(key)?.[1];
  if (prefix === undefined) return null;
  const fingerprint = sha256(key);
  const now = clock.nowMicros();
  const isValid = (apiKey: ApiKey): boolean =>
    apiKey.revokedAt === null && (apiKey.expiresAt === null || apiKey.expiresAt > now);
  const remembered = memory.apiKey(prefix, fingerprint, clock.monotonicMs());
  if (remembered !== null) return isValid(remembered) ? remembered : null;
  return database.transaction('system', async (queries) => {
    const [row] = await queries.select().from(apiKeys).where(eq(apiKeys.prefix, prefix));
    if (row === undefined || !timingSafeEqual(Buffer.from(row.keySha256), Buffer.from(fingerprint))) return null;
    const apiKey = toApiKey(row);
    if (!isValid(apiKey)) return null;
    const before = or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, now - LAST_USED_STEP_MICROS));
    await queries
      .update(apiKeys)
      .set({ lastUsedAt: time(now) })
      .where(and(eq(apiKeys.id, row.id), before));
    memory.rememberApiKey(apiKey, fingerprint, clock.monotonicMs());
    return apiKey;
  });
}
