/**
 * From what a client asks to see to rooms that it may be in. What its scope does not show is answered like what is not there.
 */
import type { LiveTarget } from '@fieldline/contract';
import { FieldlineError } from '@fieldline/kit';
import type { ApiContext } from '../handlers.ts';
import { type Principal, scopeOf, seesSite } from '../principal.ts';
import { visibleDevice } from '../routes/telemetry/visible-series.ts';
import { roomOf } from './rooms.ts';

const ID_LENGTH_MAX = 128;

/** The rooms for a target. Rejects with BAD_REQUEST, FORBIDDEN or NOT_FOUND. */
export async function roomsOf(context: ApiContext, principal: Principal, target: unknown): Promise<string[]> {
  const [kind, id] = parseTarget(target);
  switch (kind) {
    case 'deviceId':
      return deviceRooms(context, principal, id);
    case 'siteId':
      return siteRooms(context, principal, id);
    case 'organizationId':
      return organizationRooms(principal, id);
  }
}

function parseTarget(target: unknown): [keyof LiveTarget, string] {
  const entries = typeof target === 'object' && target !== null ? Object.entries(target) : [];
  const [entry] = entries;
  if (entries.length !== 1 || entry === undefined || !isTargetKey(entry[0])) {
    throw new FieldlineError('BAD_REQUEST', 'name exactly one of organizationId, siteId, deviceId');
  }
  const [key, id] = entry;
  if (typeof id !== 'string' || id === '' || id.length > ID_LENGTH_MAX) {
    throw new FieldlineError('BAD_REQUEST', `${key} must be an id`);
  }
  return [key, id];
}

function isTargetKey(key: string): key is keyof LiveTarget {
  return key === 'organizationId' || key === 'siteId' || key === 'deviceId';
}

async function deviceRooms(context: ApiContext, principal: Principal, id: string): Promise<string[]> {
  need(principal, 'telemetry:read');
  const device = await visibleDevice(context, principal, id);
  return [roomOf('device', device.id)];
}

async function siteRooms(context: ApiContext, principal: Principal, id: string): Promise<string[]> {
  need(principal, 'telemetry:read');
  const site = seesSite(principal, id) ? await context.catalog.scoped(scopeOf(principal)).sites.get(id) : null;
  if (site === null) throw new FieldlineError('NOT_FOUND', 'there is no such site in this organization');
  return [roomOf('site', site.id)];
}

/** Somebody who is limited to sites hears of these sites. */
function organizationRooms(principal: Principal, id: string): string[] {
  need(principal, 'telemetry:read');
  if (id !== principal.organizationId) {
    throw new FieldlineError('NOT_FOUND', 'there is no such organization, or it is not yours');
  }
  if (principal.siteIds === null) return [roomOf('organization', id)];
  return principal.siteIds.map((siteId) => roomOf('site', siteId));
}

function need(principal: Principal, permission: 'telemetry:read'): void {
  if (principal.permissions.has(permission)) return;
  throw new FieldlineError('FORBIDDEN', `live data needs the permission ${permission}`);
}
