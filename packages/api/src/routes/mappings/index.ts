/** Topic mappings. */
import type { NewMapping } from '@fieldline/catalog';
import type { Mapping } from '@fieldline/contract';
import type { TopicMapping } from '@fieldline/model';
import type { GroupHandlers } from '../../handlers.ts';
import { defined, found } from '../../text.ts';

export function mappingHandlers(): GroupHandlers<'mappings'> {
  return {
    list: async ({ catalog }) => ({ items: (await catalog.mappings.list()).map(mappingJson) }),
    create: async ({ body, catalog }) => mappingJson(await catalog.mappings.create(defined(body) as NewMapping)),
    get: async ({ params, catalog }) =>
      mappingJson(found(await catalog.mappings.get(params.mappingId), 'mapping', params.mappingId)),
    patch: async ({ params, body, catalog }) =>
      mappingJson(await catalog.mappings.update(params.mappingId, defined(body))),
    delete: ({ params, catalog }) => catalog.mappings.delete(params.mappingId),
  };
}

function mappingJson(row: TopicMapping): Mapping {
  const { id, organizationId, name, pattern, codec, device, metric, priority, enabled } = row;
  return { id, organizationId, name, pattern, codec, device, metric, priority, enabled };
}
