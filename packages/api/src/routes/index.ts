/** All handlers, by group and name, as the route table has them. */
import type { RouteTable } from '@fieldline/contract';
import type { ApiContext, GroupHandlers } from '../handlers.ts';
import { apiKeyHandlers } from './api-keys/index.ts';
import { auditHandlers } from './audit/index.ts';
import { authHandlers } from './auth/index.ts';
import { deadLetterHandlers } from './dead-letters/index.ts';
import { deviceHandlers } from './devices/index.ts';
import { eventHandlers } from './events/index.ts';
import { healthHandlers } from './health/index.ts';
import { ingestHandlers } from './ingest/index.ts';
import { jobHandlers } from './jobs/index.ts';
import { mappingHandlers } from './mappings/index.ts';
import { organizationHandlers } from './organization/index.ts';
import { pipelineHandlers } from './pipeline/index.ts';
import { replayHandlers } from './replays/index.ts';
import { siteHandlers } from './sites/index.ts';
import { telemetryHandlers } from './telemetry/index.ts';
import { userHandlers } from './users/index.ts';

/** A group that is missing does not compile. */
export function createHandlers(context: ApiContext): { readonly [G in keyof RouteTable]: GroupHandlers<G> } {
  return {
    auth: authHandlers(context),
    devices: deviceHandlers(context),
    telemetry: telemetryHandlers(context),
    replays: replayHandlers(context),
    jobs: jobHandlers(context),
    deadLetters: deadLetterHandlers(context),
    pipeline: pipelineHandlers(context),
    events: eventHandlers(),
    ingest: ingestHandlers(context),
    health: healthHandlers(context),
    sites: siteHandlers(),
    organization: organizationHandlers(),
    mappings: mappingHandlers(),
    apiKeys: apiKeyHandlers(),
    users: userHandlers(),
    audit: auditHandlers(),
  };
}
