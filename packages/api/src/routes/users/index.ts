/** Users of the organization. A password is never part of an answer. */
import type { NewUser, User as UserRow } from '@fieldline/catalog';
import type { User } from '@fieldline/contract';
import type { GroupHandlers } from '../../handlers.ts';
import { defined, found, isoOrNull, pageOf, resource, splitVersion } from '../../text.ts';

export function userHandlers(): GroupHandlers<'users'> {
  return {
    list: async ({ query, catalog }) => pageOf(await catalog.users.list(defined(query)), query, userJson),
    create: async ({ body, catalog }) => userJson(await catalog.users.create(defined(body) as NewUser)),
    get: async ({ params, catalog }) => userJson(found(await catalog.users.get(params.userId), 'user', params.userId)),
    patch: async ({ params, body, catalog }) => {
      const { changes, options } = splitVersion(body);
      return userJson(await catalog.users.update(params.userId, defined(changes), options));
    },
    delete: ({ params, catalog }) => catalog.users.delete(params.userId),
  };
}

function userJson(row: UserRow): User {
  const { version, email, name, role, disabled } = row;
  const siteIds = row.siteIds === null ? null : [...row.siteIds];
  return resource(row, { version, email, name, role, siteIds, disabled, lastLoginAt: isoOrNull(row.lastLoginAt) });
}
