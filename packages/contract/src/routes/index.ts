/** The route table: every route of the api, by group and name. The single truth of api, client and documentation. */
import type { RouteDefinition } from '../route.ts';
import { apiKeys } from './api-keys.ts';
import { audit } from './audit.ts';
import { auth } from './auth.ts';
import { deadLetters } from './dead-letters.ts';
import { devices } from './devices.ts';
import { events } from './events.ts';
import { health } from './health.ts';
import { ingest } from './ingest.ts';
import { jobs } from './jobs.ts';
import { mappings } from './mappings.ts';
import { organization } from './organization.ts';
import { pipeline } from './pipeline.ts';
import { replays } from './replays.ts';
import { sites } from './sites.ts';
import { telemetry } from './telemetry.ts';
import { users } from './users.ts';

export const ROUTES = {
  auth,
  devices,
  telemetry,
  replays,
  jobs,
  deadLetters,
  pipeline,
  events,
  ingest,
  health,
  sites,
  organization,
  mappings,
  apiKeys,
  users,
  audit,
} as const;
export type RouteTable = typeof ROUTES;
export type GroupName = keyof RouteTable;

/** All routes in one list, with the names under which the client calls them. */
export function listRoutes(): { group: GroupName; name: string; route: RouteDefinition }[] {
  return Object.entries(ROUTES).flatMap(([group, routes]) =>
    Object.entries(routes as Record<string, RouteDefinition>).map(([name, route]) => ({
      group: group as GroupName,
      name,
      route,
    })),
  );
}
