/** Free settings of the organisation: key → JSON value. */
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Scope, SettingCatalog } from '../catalog.ts';
import type { Database } from '../database/database.ts';
import { settings } from '../schema/index.ts';
import { checkJson, refuse } from '../validate.ts';

const KEY_LENGTH_MAX = 128;
const columns = { key: settings.key, value: settings.value, updatedAt: settings.updatedAt };

export function settingCatalog(database: Database, scope: Scope): SettingCatalog {
  const { organizationId } = scope;
  const isKey = (key: string) => and(eq(settings.organizationId, organizationId), eq(settings.key, key));
  return {
    get: (key) =>
      database.transaction(scope, async (queries) => {
        const [row] = await queries.select(columns).from(settings).where(isKey(key));
        return row?.value;
      }),

    list: () =>
      database.transaction(scope, (queries) => queries.select(columns).from(settings).orderBy(asc(settings.key))),

    async set(key, value) {
      if (key.length < 1 || key.length > KEY_LENGTH_MAX) refuse('key', `must have 1 to ${KEY_LENGTH_MAX} characters`);
      // As text: the driver would take a JavaScript array for one of PostgreSQL's.
      const json = sql`${JSON.stringify(checkJson(value, 'value'))}::jsonb`;
      return database.transaction(scope, async (queries) => {
        const [row] = await queries
          .insert(settings)
          .values({ organizationId, key, value: json, updatedAt: sql`now()` })
          .onConflictDoUpdate({
            target: [settings.organizationId, settings.key],
            set: { value: json, updatedAt: sql`now()` },
          })
          .returning(columns);
        return row!;
      });
    },

    delete: (key) =>
      database.transaction(scope, async (queries) => {
        await queries.delete(settings).where(isKey(key));
      }),
  };
}
