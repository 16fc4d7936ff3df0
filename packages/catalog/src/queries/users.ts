/** The organisation's users. */
import { FieldlineError } from '@fieldline/kit';
import { isId, newId } from '@fieldline/model';
import { and, asc, count, eq, inArray, sql } from 'drizzle-orm';
import type { Scope, UserCatalog } from '../catalog.ts';
import type { Database, Queries } from '../database/database.ts';
import { hashPassword } from '../passwords.ts';
import type { User, UserChanges } from '../rows.ts';
import { sites, users } from '../schema/index.ts';
import {
  checkEmail,
  checkName,
  checkPage,
  checkPassword,
  checkReferences,
  notFound,
  present,
  refuse,
} from '../validate.ts';
import { revoke } from './revocations.ts';
import { checkRowVersion, revised } from './update.ts';

type UserRow = typeof users.$inferSelect;

export function userCatalog(database: Database, scope: Scope): UserCatalog {
  return {
    async create(user) {
      const row = {
        id: newId(),
        organizationId: scope.organizationId,
        email: checkEmail(user.email),
        name: checkName(user.name),
        role: user.role,
        siteIds: checkReferences(user.siteIds ?? null, 'siteIds'),
        passwordHash: user.password === null ? null : await hashPassword(checkPassword(user.password)),
      };
      return database.transaction(scope, async (queries) => {
        await checkSites(queries, row.siteIds);
        const [created] = await queries.insert(users).values(row).returning();
        return toUser(created!);
      });
    },

    async get(id) {
      if (!isId(id)) return null;
      return database.transaction(scope, async (queries) => {
        const [row] = await queries.select().from(users).where(eq(users.id, id));
        return row === undefined ? null : toUser(row);
      });
    },

    async list(page = {}) {
      const { limit, offset } = checkPage(page);
      return database.transaction(scope, async (queries) => {
        const [all] = await queries.select({ total: count() }).from(users);
        const rows = await queries.select().from(users).orderBy(asc(users.email)).limit(limit).offset(offset);
        return { items: rows.map(toUser), total: all!.total };
      });
    },

    async update(id, changes, options = {}) {
      if (!isId(id)) return notFound('user', id);
      const columns = await columnsOf(changes);
      return database.transaction(scope, async (queries) => {
        const before = await lock(queries, id);
        checkRowVersion(before.version, options.version, 'user');
        await checkSites(queries, columns.siteIds ?? null);
        if (losesAdministrator(before, changes)) await checkOtherAdministrator(queries, id);
        const endsSessions = endingSessions(before, changes);
        const [row] = await queries
          .update(users)
          .set({
            ...columns,
            ...revised(users.version),
            ...(endsSessions && { tokenVersion: sql`${users.tokenVersion} + 1` }),
          })
          .where(eq(users.id, id))
          .returning();
        if (endsSessions) await revoke(queries, { ...row!, userId: id, familyId: null });
        return toUser(row!);
      });
    },

    async delete(id) {
      if (!isId(id)) return notFound('user', id);
      await database.transaction(scope, async (queries) => {
        const before = await lock(queries, id);
        if (before.role === 'admin' && !before.disabled) await checkOtherAdministrator(queries, id);
        await queries.delete(users).where(eq(users.id, id));
        // A version that no token has: all of them are worth nothing.
        await revoke(queries, { ...before, userId: id, familyId: null, tokenVersion: before.tokenVersion + 1 });
      });
    },
  };
}

/** The row without its secret. */
export function toUser({ passwordHash: _, ...user }: UserRow): User {
  return user;
}

async function columnsOf(changes: UserChanges): Promise<Partial<UserRow>> {
  const { email, name, role, siteIds, disabled, password } = changes;
  return present({
    email: email === undefined ? undefined : checkEmail(email),
    name: name === undefined ? undefined : checkName(name),
    role,
    siteIds: siteIds === undefined ? undefined : checkReferences(siteIds, 'siteIds'),
    disabled,
    passwordHash: password === undefined ? undefined : await hashPassword(checkPassword(password)),
  }) as Partial<UserRow>;
}

async function lock(queries: Queries, id: string): Promise<UserRow> {
  const [row] = await queries.select().from(users).where(eq(users.id, id)).for('update');
  return row ?? notFound('user', id);
}

async function checkSites(queries: Queries, siteIds: readonly string[] | null): Promise<void> {
  if (siteIds === null || siteIds.length === 0) return;
  const found = await queries
    .select({ id: sites.id })
    .from(sites)
    .where(inArray(sites.id, [...siteIds]));
  const known = new Set(found.map((site) => site.id));
  const unknown = siteIds.find((id) => !known.has(id));
  if (unknown !== undefined) refuse('siteIds', `names a site that there is not: ${unknown}`);
}

function losesAdministrator(before: UserRow, changes: UserChanges): boolean {
  if (before.role !== 'admin' || before.disabled) return false;
  return changes.disabled === true || (changes.role !== undefined && changes.role !== 'admin');
}

function endingSessions(before: UserRow, changes: UserChanges): boolean {
  return (
    changes.password !== undefined ||
    (changes.role !== undefined && changes.role !== before.role) ||
    (changes.disabled === true && !before.disabled) ||
    (changes.siteIds !== undefined && JSON.stringify(changes.siteIds) !== JSON.stringify(before.siteIds))
  );
}

async function checkOtherAdministrator(queries: Queries, id: string): Promise<void> {
  // All of them are locked, so that two who demote each other wait and the second one is refused.
  const admins = await queries
    .select({ id: users.id })
    .from(users)
    .where(and(eq(users.role, 'admin'), eq(users.disabled, false)))
    .orderBy(users.id)
    .for('update');
  if (admins.every((admin) => admin.id === id)) {
    throw new FieldlineError('CONFLICT', 'this is the last administrator; make another one first');
  }
}
