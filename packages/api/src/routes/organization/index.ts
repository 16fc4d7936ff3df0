/** The caller's organization and its settings. */
import type { Organization as OrganizationRow } from '@fieldline/catalog';
import type { Organization } from '@fieldline/contract';
import type { GroupHandlers } from '../../handlers.ts';
import { defined, resource, splitVersion } from '../../text.ts';

export function organizationHandlers(): GroupHandlers<'organization'> {
  return {
    get: async ({ catalog }) => organizationJson(await catalog.organization.get()),

    patch: async ({ body, catalog }) => {
      const { changes, options } = splitVersion(body);
      return organizationJson(await catalog.organization.update(defined(changes), options));
    },
  };
}

function organizationJson(row: OrganizationRow): Organization {
  const { version, slug, name, autoRegistration } = row;
  return resource({ ...row, organizationId: row.id }, { version, slug, name, autoRegistration });
}
