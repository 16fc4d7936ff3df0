/** Sites of the organization. */
import type { NewSite, Site as SiteRow } from '@fieldline/catalog';
import type { Site } from '@fieldline/contract';
import type { GroupHandlers } from '../../handlers.ts';
import { defined, found, pageOf, resource, splitVersion } from '../../text.ts';
import { checkTimeZone } from '../telemetry/resolution.ts';

export function siteHandlers(): GroupHandlers<'sites'> {
  return {
    list: async ({ query, catalog }) => pageOf(await catalog.sites.list(defined(query)), query, siteJson),

    create: async ({ body, catalog }) => {
      if (body.timeZone !== undefined) checkTimeZone(body.timeZone, 'body/timeZone');
      return siteJson(await catalog.sites.create(defined(body) as NewSite));
    },

    get: async ({ params, catalog }) => siteJson(found(await catalog.sites.get(params.siteId), 'site', params.siteId)),

    patch: async ({ params, body, catalog }) => {
      if (body.timeZone !== undefined) checkTimeZone(body.timeZone, 'body/timeZone');
      const { changes, options } = splitVersion(body);
      return siteJson(await catalog.sites.update(params.siteId, defined(changes), options));
    },

    delete: ({ params, catalog }) => catalog.sites.delete(params.siteId),
  };
}

function siteJson(row: SiteRow): Site {
  const { version, name, timeZone, address, latitude, longitude } = row;
  const attributes = { ...row.attributes };
  return resource(row, { version, name, timeZone, address, latitude, longitude, attributes });
}
