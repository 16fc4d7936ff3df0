/** The organisation of the scope. */
import { eq } from 'drizzle-orm';
import type { OrganizationCatalog, Scope } from '../catalog.ts';
import type { Database, Queries } from '../database/database.ts';
import type { Organization } from '../rows.ts';
import { organizations } from '../schema/index.ts';
import { checkName, checkSlug, notFound, present } from '../validate.ts';
import { checkRowVersion, revised } from './update.ts';

export function organizationCatalog(database: Database, scope: Scope): OrganizationCatalog {
  return {
    get: () => database.transaction(scope, (queries) => readOrganization(queries, scope)),

    update: (changes, options = {}) =>
      database.transaction(scope, async (queries) => {
        const { slug, name, autoRegistration } = changes;
        const before = await readOrganization(queries, scope, true);
        checkRowVersion(before.version, options.version, 'organization');
        const [row] = await queries
          .update(organizations)
          .set({
            ...present({
              slug: slug === undefined ? undefined : checkSlug(slug),
              name: name === undefined ? undefined : checkName(name),
              autoRegistration,
            }),
            ...revised(organizations.version),
          })
          .where(eq(organizations.id, scope.organizationId))
          .returning();
        return row!;
      }),
  };
}

async function readOrganization(queries: Queries, scope: Scope, lock = false): Promise<Organization> {
  const query = queries.select().from(organizations).where(eq(organizations.id, scope.organizationId));
  const [row] = await (lock ? query.for('update') : query);
  return row ?? notFound('organization', scope.organizationId);
}
