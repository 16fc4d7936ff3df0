/**
 * System door: refresh tokens. A log-in starts a family; each token is good once, for the next one. A token that comes a
 * second time was copied: its family ends, whoever holds which part of it (RFC 9700, 4.14.2).
 */
import { type Clock, FieldlineError } from '@fieldline/kit';
import { MICROS_PER_DAY, newId } from '@fieldline/model';
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Database, Queries } from '../database/database.ts';
import type { RefreshToken, Rotation } from '../rows.ts';
import { refreshFamilies, refreshTokens, users } from '../schema/index.ts';
import { newSecret, sha256 } from '../secrets.ts';
import { revoke } from './revocations.ts';
import { toUser } from './users.ts';

const TOKEN_AGE_MAX_MICROS = 7 * MICROS_PER_DAY;
const CLIENT_LENGTH_MAX = 256;

type FamilyRow = typeof refreshFamilies.$inferSelect;

export async function startFamily(
  database: Database,
  clock: Clock,
  userId: string,
  client: { readonly userAgent?: string; readonly address?: string },
): Promise<RefreshToken> {
  const now = clock.nowMicros();
  return database.transaction('system', async (queries) => {
    const [user] = await queries.select().from(users).where(eq(users.id, userId));
    if (user === undefined || user.disabled)
      throw new FieldlineError('UNAUTHENTICATED', 'the user is gone or disabled');
    const family = {
      id: newId(),
      organizationId: user.organizationId,
      userId,
      userAgent: (client.userAgent ?? '').slice(0, CLIENT_LENGTH_MAX),
      address: (client.address ?? '').slice(0, CLIENT_LENGTH_MAX),
      tokenVersion: user.tokenVersion,
      createdAt: now,
      expiresAt: now + TOKEN_AGE_MAX_MICROS,
    };
    await queries.insert(refreshFamilies).values(family);
    return issue(queries, family, now);
  });
}

export async function rotate(database: Database, clock: Clock, token: string): Promise<Rotation> {
  const now = clock.nowMicros();
  return database.transaction('system', async (queries): Promise<Rotation> => {
    const tokenSha256 = sha256(token);
    const isThis = eq(refreshTokens.tokenSha256, tokenSha256);
    // Two who come with the same token: the second one waits and then finds it used.
    const [stored] = await queries.select().from(refreshTokens).where(isThis).for('update');
    if (stored === undefined) return { outcome: 'unknown', userId: null };
    const [found] = await queries
      .select({ family: refreshFamilies, user: users })
      .from(refreshFamilies)
      .innerJoin(users, eq(users.id, refreshFamilies.userId))
      .where(eq(refreshFamilies.id, stored.familyId));
    if (found === undefined) return { outcome: 'unknown', userId: null };
    const { family, user } = found;
    const userId = user.id;
    const ended = family.endedAt !== null || family.tokenVersion < user.tokenVersion || user.disabled;
    if (ended) return { outcome: 'revoked', userId };
    if (stored.usedAt !== null) {
      await end(queries, family, now);
      return { outcome: 'replayed', userId };
    }
    if (stored.expiresAt <= now) return { outcome: 'expired', userId };
    await queries.update(refreshTokens).set({ usedAt: now }).where(isThis);
    const next = { ...family, expiresAt: now + TOKEN_AGE_MAX_MICROS };
    await queries.update(refreshFamilies).set({ expiresAt: next.expiresAt }).where(eq(refreshFamilies.id, family.id));
    return { outcome: 'rotated', refreshToken: await issue(queries, next, now), user: toUser(user) };
  });
}

export async function endFamily(database: Database, clock: Clock, token: string): Promise<void> {
  await database.transaction('system', async (queries) => {
    const [found] = await queries
      .select()
      .from(refreshTokens)
      .innerJoin(refreshFamilies, eq(refreshFamilies.id, refreshTokens.familyId))
      .where(eq(refreshTokens.tokenSha256, sha256(token)));
    if (found !== undefined) await end(queries, found.refresh_families, clock.nowMicros());
  });
}

async function issue(
  queries: Queries,
  family: Pick<FamilyRow, 'id' | 'organizationId' | 'expiresAt'>,
  now: number,
): Promise<RefreshToken> {
  const token = newSecret('flr');
  const expiresAt = now + TOKEN_AGE_MAX_MICROS;
  await queries
    .insert(refreshTokens)
    .values({ tokenSha256: sha256(token), organizationId: family.organizationId, familyId: family.id, expiresAt });
  return { token, familyId: family.id, expiresAt };
}

async function end(queries: Queries, family: FamilyRow, now: number): Promise<void> {
  const ended = await queries
    .update(refreshFamilies)
    .set({ endedAt: now })
    .where(and(eq(refreshFamilies.id, family.id), isNull(refreshFamilies.endedAt)))
    .returning({ id: sql`1` });
  if (ended.length === 0) return;
  await revoke(queries, { ...family, familyId: family.id, tokenVersion: null });
}
