/**
 * Which device a topic of an external broker belongs to. In: the directory, the connector's organisation, a topic; out: the
 * origin of its records. The organisation comes from the connector's settings, never from the topic: one that names another
 * is refused (0x87). Nothing is thrown away: what belongs to nobody becomes a dead letter in the pipeline, with its reason.
 * Pure: reads no clock, does no I/O.
 */
import { type DirectoryCache, fillTemplate } from '@fieldline/model';
import type { BridgeRoute } from './bridge-options.ts';

const SUCCESS = 0;
const NOT_AUTHORIZED = 0x87;
/** Looked up again by the pipeline, which finds that there is none. */
const NO_MAPPING = '';

export function routeForeignPublication(directory: DirectoryCache, organizationId: string, topic: string): BridgeRoute {
  const match = directory.matchTopic(organizationId, topic);
  const base = { organizationId, topic, source: 'connector', mappingVersion: directory.version } as const;
  if (match === null) {
    return { origin: { ...base, deviceId: topic, codec: 'json', mappingId: NO_MAPPING }, reasonCode: SUCCESS };
  }
  const { mapping, captures } = match;
  const organization = directory.organization(organizationId);
  const named = captures.organization;
  const isForeign = named !== undefined && named !== organizationId && named !== organization?.slug;
  const name = fillTemplate(mapping.device, captures);
  const deviceId = directory.findDevice(organizationId, name)?.id ?? name;
  const origin = { ...base, deviceId, codec: mapping.codec, mappingId: mapping.id };
  if (!isForeign) return { origin, reasonCode: SUCCESS };
  return { origin: { ...origin, attributes: { foreignOrganization: named } }, reasonCode: NOT_AUTHORIZED };
}
