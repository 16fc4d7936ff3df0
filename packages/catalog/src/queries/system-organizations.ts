/** System door: organisations, the first start, and what is built in. */
import { BUILT_IN_MAPPINGS, isId, newId } from '@fieldline/model';
import { asc, eq, sql } from 'drizzle-orm';
import type { Bootstrap, BootstrapOptions, SystemOrganizations } from '../catalog.ts';
import type { Database, Queries } from '../database/database.ts';
import { hashPassword } from '../passwords.ts';
import { organizations, topicMappings, users } from '../schema/index.ts';
import { newPassword } from '../secrets.ts';
import { checkEmail, checkName, checkPassword, checkSlug } from '../validate.ts';

export function systemOrganizations(database: Database): SystemOrganizations {
  return {
    create({ slug, name }) {
      const row = { id: newId(), slug: checkSlug(slug), name: checkName(name) };
      return database.transaction('system', async (queries) => {
        const [created] = await queries.insert(organizations).values(row).returning();
        return created!;
      });
    },

    list: () =>
      database.transaction('system', (queries) =>
        queries.select().from(organizations).orderBy(asc(organizations.slug)),
      ),

    find: (idOrSlug) =>
      database.transaction('system', async (queries) => {
        const condition = isId(idOrSlug) ? eq(organizations.id, idOrSlug) : eq(organizations.slug, idOrSlug);
        const [row] = await queries.select().from(organizations).where(condition);
        return row ?? null;
      }),
  };
}

/** The first organisation with its administrator, where there is none. Two processes that start at once make one. */
export async function bootstrap(database: Database, options: BootstrapOptions): Promise<Bootstrap> {
  const known = await database.transaction('system', firstOrganization);
  if (known !== null) return { organization: known, created: false, generatedPassword: null };
  const slug = checkSlug(options.organizationSlug ?? 'default');
  const name = checkName(options.organizationName ?? 'Default organization', 'organizationName');
  const email = checkEmail(options.adminEmail);
  const generatedPassword = options.adminPassword === undefined ? newPassword() : null;
  const passwordHash = await hashPassword(generatedPassword ?? checkPassword(options.adminPassword!));
  return database.transaction('system', async (queries) => {
    await queries.execute(sql`select pg_advisory_xact_lock(hashtext('fieldline.bootstrap'))`);
    const meanwhile = await firstOrganization(queries);
    if (meanwhile !== null) return { organization: meanwhile, created: false, generatedPassword: null };
    const [organization] = await queries.insert(organizations).values({ id: newId(), slug, name }).returning();
    const { id: organizationId } = organization!;
    await queries
      .insert(users)
      .values({ id: newId(), organizationId, email, name: 'Administrator', role: 'admin', passwordHash });
    return { organization: organization!, created: true, generatedPassword };
  });
}

/** Brings the built-in mappings to what this version has. Writes nothing (and tells no change) where they are so already. */
export async function seedBuiltInMappings(database: Database): Promise<void> {
  await database.transaction('system', async (queries) => {
    for (const mapping of BUILT_IN_MAPPINGS) {
      await queries
        .insert(topicMappings)
        .values({ ...mapping })
        .onConflictDoUpdate({
          target: topicMappings.id,
          set: { ...mapping, updatedAt: sql`now()` },
          setWhere: sql`(${topicMappings.name}, ${topicMappings.pattern}, ${topicMappings.codec}, ${topicMappings.device},
            ${topicMappings.metric}, ${topicMappings.priority}, ${topicMappings.enabled}) is distinct from (excluded.name,
            excluded.pattern, excluded.codec, excluded.device, excluded.metric, excluded.priority, excluded.enabled)`,
        });
    }
  });
}

async function firstOrganization(queries: Queries) {
  const [row] = await queries.select().from(organizations).orderBy(asc(organizations.createdAt)).limit(1);
  return row ?? null;
}
