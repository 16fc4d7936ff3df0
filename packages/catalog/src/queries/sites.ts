/** The organisation's sites. */
import { isId, newId } from '@fieldline/model';
import { asc, count, eq } from 'drizzle-orm';
import type { Scope, SiteCatalog } from '../catalog.ts';
import type { Database } from '../database/database.ts';
import type { NewSite, SiteChanges } from '../rows.ts';
import { sites } from '../schema/index.ts';
import { checkJson, checkName, checkPage, checkTimeZone, notFound, present } from '../validate.ts';
import { checkRowVersion, revised } from './update.ts';

export function siteCatalog(database: Database, scope: Scope): SiteCatalog {
  return {
    async create(site) {
      const row = { ...columnsOf(site), id: newId(), organizationId: scope.organizationId, name: checkName(site.name) };
      return database.transaction(scope, async (queries) => {
        const [created] = await queries.insert(sites).values(row).returning();
        return created!;
      });
    },

    async get(id) {
      if (!isId(id)) return null;
      return database.transaction(scope, async (queries) => {
        const [row] = await queries.select().from(sites).where(eq(sites.id, id));
        return row ?? null;
      });
    },

    async list(page = {}) {
      const { limit, offset } = checkPage(page);
      return database.transaction(scope, async (queries) => {
        const [all] = await queries.select({ total: count() }).from(sites);
        const items = await queries.select().from(sites).orderBy(asc(sites.name)).limit(limit).offset(offset);
        return { items, total: all!.total };
      });
    },

    async update(id, changes, options = {}) {
      if (!isId(id)) return notFound('site', id);
      const columns = columnsOf(changes);
      return database.transaction(scope, async (queries) => {
        const [before] = await queries.select().from(sites).where(eq(sites.id, id)).for('update');
        if (before === undefined) return notFound('site', id);
        checkRowVersion(before.version, options.version, 'site');
        const change = { ...columns, ...revised(sites.version) };
        const [row] = await queries.update(sites).set(change).where(eq(sites.id, id)).returning();
        return row!;
      });
    },

    async delete(id) {
      if (!isId(id)) return notFound('site', id);
      await database.transaction(scope, async (queries) => {
        const gone = await queries.delete(sites).where(eq(sites.id, id)).returning({ id: sites.id });
        if (gone.length === 0) notFound('site', id);
      });
    },
  };
}

function columnsOf(changes: SiteChanges | NewSite) {
  const { name, timeZone, address, latitude, longitude, attributes } = changes;
  return present({
    name: name === undefined ? undefined : checkName(name),
    timeZone: timeZone === undefined ? undefined : checkTimeZone(timeZone),
    address,
    latitude,
    longitude,
    attributes: attributes === undefined ? undefined : checkJson(attributes, 'attributes'),
  });
}
