/** Sites: places of an organization. A site's time zone says when its days begin. */
import { type Static, Type } from 'typebox';
import { Id, JsonObject, Nullable, Page, pageQuery, Resource, Shape } from '../common.ts';
import { routeGroup } from '../route.ts';

const fields = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  timeZone: Type.String({ minLength: 1, maxLength: 64, description: 'IANA name' }),
  address: Type.String({ maxLength: 500 }),
  latitude: Nullable(Type.Number({ minimum: -90, maximum: 90 })),
  longitude: Nullable(Type.Number({ minimum: -180, maximum: 180 })),
  attributes: JsonObject,
};

export const Site = Resource('Site', { version: Type.Integer(), ...fields });
export type Site = Static<typeof Site>;

const siteParams = Shape({ siteId: Id });

export const sites = routeGroup({
  list: {
    method: 'GET',
    path: '/api/v1/sites',
    summary: 'Sites by name',
    query: Shape(pageQuery),
    status: 200,
    answer: Page(Site),
    permission: 'sites:read',
    limit: 'general',
  },
  create: {
    method: 'POST',
    path: '/api/v1/sites',
    summary: 'Make a site',
    body: Shape({ ...Type.Partial(Type.Object(fields)).properties, name: fields.name }),
    status: 201,
    answer: Site,
    permission: 'sites:write',
    limit: 'general',
  },
  get: {
    method: 'GET',
    path: '/api/v1/sites/:siteId',
    summary: 'One site',
    params: siteParams,
    status: 200,
    answer: Site,
    permission: 'sites:read',
    limit: 'general',
  },
  patch: {
    method: 'PATCH',
    path: '/api/v1/sites/:siteId',
    summary: 'Change a site',
    params: siteParams,
    body: Shape({
      ...Type.Partial(Type.Object(fields)).properties,
      version: Type.Optional(Type.Integer({ minimum: 1 })),
    }),
    status: 200,
    answer: Site,
    permission: 'sites:write',
    limit: 'general',
  },
  delete: {
    method: 'DELETE',
    path: '/api/v1/sites/:siteId',
    summary: 'Remove a site that no device belongs to',
    params: siteParams,
    status: 204,
    answer: null,
    permission: 'sites:write',
    limit: 'general',
  },
});
