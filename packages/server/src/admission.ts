/**
 * Who may connect to the broker, and where what they publish goes. In: the directory, a CONNECT or a (client, topic);
 * out: an identity, a route, or a refusal with reason code and sentence. Pure: the broker calls it with its cached copy.
 *
 * - A device logs in with its certificate (common name = device id), or with user name = device id, or
 *   `{organization slug}/{device key}`, and password = device token.
 * - It publishes under its own topics; a gateway also for the devices assigned to it, and for unknown ones where its
 *   organisation registers devices automatically.
 * - `app/{organization id}/…` is for ordinary traffic between the clients of one organisation. Its slug, which can be changed,
 *   is refused there with the topic that is meant: two spellings would be two topics, and their clients would never meet.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  type DirectoryCache,
  type DirectoryDevice,
  type DirectoryOrganization,
  fillTemplate,
  isId,
  isKey,
  type MappingMatch,
  type Origin,
} from '@fieldline/model';

/** MQTT 5 reason codes, section 2.4. */
const BAD_USER_NAME_OR_PASSWORD = 0x86;
const NOT_AUTHORIZED = 0x87;

export interface Refusal {
  readonly reasonCode: number;
  readonly reason: string;
}

/** A refusal names the device where the client claimed to be one that exists. */
export type DeviceLogin =
  | { readonly device: DirectoryDevice; readonly refusal?: undefined }
  | { readonly refusal: Refusal; readonly device?: DirectoryDevice };

/** Decides a CONNECT. The reason says enough for an event that a person reads; it is not told to strangers. */
export function admitDevice(
  directory: DirectoryCache,
  request: {
    readonly certificateCommonName: string | undefined;
    readonly userName: string | undefined;
    readonly password: Uint8Array | undefined;
  },
): DeviceLogin {
  if (request.certificateCommonName !== undefined) return byCertificate(directory, request.certificateCommonName);
  if (request.userName === undefined || request.password === undefined) {
    return refuse(BAD_USER_NAME_OR_PASSWORD, 'no user name and password: use device id and device token');
  }
  const device = deviceByName(directory, request.userName);
  if (device === undefined) return refuse(BAD_USER_NAME_OR_PASSWORD, `there is no device "${shown(request.userName)}"`);
  if (device.tokenSha256 === null)
    return refuse(BAD_USER_NAME_OR_PASSWORD, `device ${device.key} has no token`, device);
  const hash = createHash('sha256').update(request.password).digest();
  if (!timingSafeEqual(hash, Buffer.from(device.tokenSha256, 'hex'))) {
    return refuse(BAD_USER_NAME_OR_PASSWORD, `wrong token for device ${device.key}`, device);
  }
  return ifActive(device);
}

export type TopicRoute =
  | { readonly to: 'log'; readonly origin: Origin }
  | { readonly to: 'clients' }
  | ({ readonly to: 'refused' } & Refusal);

/** Decides where a device's publication goes. */
export function routePublication(directory: DirectoryCache, publisher: DirectoryDevice, topic: string): TopicRoute {
  const organization = directory.organization(publisher.organizationId);
  if (organization === undefined) return refused('the organisation of this device does not exist any more');
  const match = directory.matchTopic(organization.id, topic);
  if (match === null) {
    const [first, second] = topic.split('/', 2);
    if (first === 'app' && second === organization.id) return { to: 'clients' };
    const meant = writtenWithId(organization, topic);
    if (meant !== null) return refused(meant);
    return refused(
      `no topic mapping matches "${shown(topic)}"; a device publishes e.g. on v1/telemetry/${organization.slug}/${publisher.key}`,
    );
  }
  const named = match.captures.organization;
  if (named !== undefined && named !== organization.id && named !== organization.slug) {
    return refused(`the topic names organisation "${shown(named)}", the device belongs to ${organization.slug}`);
  }
  const name = fillTemplate(match.mapping.device, match.captures);
  const device = directory.findDevice(organization.id, name);
  const mine = device?.id === publisher.id || device?.gatewayId === publisher.id;
  const toRegister =
    device === undefined && publisher.kind === 'gateway' && organization.autoRegistration && isKey(name);
  if (!mine && !toRegister) {
    return refused(
      `device ${publisher.key} may not publish for "${shown(name)}"; only a gateway may, for devices assigned to it`,
    );
  }
  return { to: 'log', origin: originOf(directory, publisher, device?.id ?? name, topic, match) };
}

/** Decides a subscription. Telemetry is read through the API; between clients there is app/…, for devices their commands. */
export function admitSubscription(
  directory: DirectoryCache,
  subscriber: DirectoryDevice,
  filter: string,
): { readonly allowed: true } | ({ readonly allowed: false } & Refusal) {
  const organization = directory.organization(subscriber.organizationId);
  const topicFilter = filter.startsWith('$share/') ? filter.split('/').slice(2).join('/') : filter;
  const levels = topicFilter.split('/');
  const names = [subscriber.id, subscriber.key];
  const allowed =
    (levels[0] === 'app' && levels[1] === subscriber.organizationId) ||
    (levels[0] === '$fieldline' && levels[1] === 'cmd' && names.includes(levels[2] ?? '')) ||
    (levels[0] === 'robots' && names.includes(levels[1] ?? '') && levels[2] === 'commands') ||
    // Numbers of its own organisation; a gateway watches over others, a sensor has no use for them.
    (levels[0] === '$SYS' && levels[1] === 'broker' && subscriber.kind === 'gateway');
  if (allowed) return { allowed: true };
  const meant = organization === undefined ? null : writtenWithId(organization, topicFilter);
  const reason = `device ${subscriber.key} may subscribe under app/${subscriber.organizationId}/…, $fieldline/cmd/${subscriber.key}/… and robots/${subscriber.key}/commands/… only`;
  return { allowed: false, reasonCode: NOT_AUTHORIZED, reason: meant ?? reason };
}

/** What to write where an app/… topic names the organisation by its slug; null where it does not. */
function writtenWithId({ id, slug }: DirectoryOrganization, topic: string): string | null {
  const [first, second, ...rest] = topic.split('/');
  if (first !== 'app' || second !== slug) return null;
  return `app/… names the organisation by its id, which never changes: write "${shown(['app', id, ...rest].join('/'))}", not "${shown(topic)}"`;
}

function byCertificate(directory: DirectoryCache, commonName: string): DeviceLogin {
  const device = isId(commonName) ? directory.device(commonName) : undefined;
  if (device === undefined)
    return refuse(NOT_AUTHORIZED, `the certificate names "${shown(commonName)}", which is no device`);
  return ifActive(device);
}

function deviceByName(directory: DirectoryCache, name: string): DirectoryDevice | undefined {
  if (isId(name)) return directory.device(name);
  const slash = name.indexOf('/');
  const organization = slash < 0 ? undefined : directory.organization(name.slice(0, slash));
  return organization === undefined ? undefined : directory.findDevice(organization.id, name.slice(slash + 1));
}

function ifActive(device: DirectoryDevice): DeviceLogin {
  if (device.lifecycle === 'decommissioned')
    return refuse(NOT_AUTHORIZED, `device ${device.key} is decommissioned`, device);
  return { device };
}

function originOf(
  directory: DirectoryCache,
  publisher: DirectoryDevice,
  deviceId: string,
  topic: string,
  match: MappingMatch,
): Origin {
  return {
    organizationId: publisher.organizationId,
    deviceId,
    topic,
    codec: match.mapping.codec,
    source: 'mqtt',
    mappingVersion: directory.version,
    mappingId: match.mapping.id,
    ...(deviceId === publisher.id ? {} : { attributes: { publisherId: publisher.id } }),
  };
}

function refuse(reasonCode: number, reason: string, device?: DirectoryDevice): DeviceLogin {
  return { refusal: { reasonCode, reason }, ...(device && { device }) };
}

function refused(reason: string): TopicRoute {
  return { to: 'refused', reasonCode: NOT_AUTHORIZED, reason };
}

function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
