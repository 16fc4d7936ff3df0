/** Generated from the route table by `node packages/contract/generate.ts`; change the schemas, not this file. */
import { type ClientOptions, createSend, type RequestOptions } from '../client/http.ts';
import type { Answer, Body, Query } from '../client/types.ts';

/** A client of the REST api. Methods reject with ProblemError. */
export function createClient(clientOptions: ClientOptions = {}) {
  const send = createSend(clientOptions);
  return {
    auth: {
      /** Sign in with e-mail and password. POST /api/v1/auth/login */
      login: (body: Body<'auth', 'login'>, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/auth/login', body, withoutRefresh: true }, options) as Promise<Answer<'auth', 'login'>>,
      /** Change the refresh token for a new session; a token that comes twice ends the session. POST /api/v1/auth/refresh */
      refresh: (body: Body<'auth', 'refresh'> = {}, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/auth/refresh', body, withoutRefresh: true }, options) as Promise<Answer<'auth', 'refresh'>>,
      /** End the session, its live connections too. POST /api/v1/auth/logout */
      logout: (body: Body<'auth', 'logout'> = {}, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/auth/logout', body, withoutRefresh: true }, options) as Promise<void>,
      /** Who is signed in and what they may do. GET /api/v1/auth/me */
      me: (options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/auth/me' }, options) as Promise<Answer<'auth', 'me'>>,
      /** Change the own password; ends all sessions of the user. PUT /api/v1/auth/password */
      changePassword: (body: Body<'auth', 'changePassword'>, options?: RequestOptions) =>
        send({ method: 'PUT', path: '/api/v1/auth/password', body }, options) as Promise<void>,
    },
    devices: {
      /** Devices with their live status. GET /api/v1/devices */
      list: (query: Query<'devices', 'list'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/devices', query }, options) as Promise<Answer<'devices', 'list'>>,
      /** Devices by live status. GET /api/v1/devices/counts */
      counts: (options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/devices/counts' }, options) as Promise<Answer<'devices', 'counts'>>,
      /** Register a device; its token is shown this once. POST /api/v1/devices */
      create: (body: Body<'devices', 'create'>, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/devices', body }, options) as Promise<Answer<'devices', 'create'>>,
      /** One device, by id or key. GET /api/v1/devices/:deviceId */
      get: (deviceId: string, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/devices/${encodeURIComponent(deviceId)}` }, options) as Promise<Answer<'devices', 'get'>>,
      /** Change a device. PATCH /api/v1/devices/:deviceId */
      patch: (deviceId: string, body: Body<'devices', 'patch'>, options?: RequestOptions) =>
        send({ method: 'PATCH', path: `/api/v1/devices/${encodeURIComponent(deviceId)}`, body }, options) as Promise<Answer<'devices', 'patch'>>,
      /** Remove a device; its stored telemetry keeps its meaning. DELETE /api/v1/devices/:deviceId */
      delete: (deviceId: string, options?: RequestOptions) =>
        send({ method: 'DELETE', path: `/api/v1/devices/${encodeURIComponent(deviceId)}` }, options) as Promise<void>,
      /** Replace the token; the old one is worth nothing from now on. POST /api/v1/devices/:deviceId/token */
      rotateToken: (deviceId: string, options?: RequestOptions) =>
        send({ method: 'POST', path: `/api/v1/devices/${encodeURIComponent(deviceId)}/token` }, options) as Promise<Answer<'devices', 'rotateToken'>>,
      /** Take the token away; the live session ends. DELETE /api/v1/devices/:deviceId/token */
      revokeToken: (deviceId: string, options?: RequestOptions) =>
        send({ method: 'DELETE', path: `/api/v1/devices/${encodeURIComponent(deviceId)}/token` }, options) as Promise<void>,
      /** Addresses, names and topics with which this device connects. GET /api/v1/devices/:deviceId/connect */
      connect: (deviceId: string, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/devices/${encodeURIComponent(deviceId)}/connect` }, options) as Promise<Answer<'devices', 'connect'>>,
      /** The metrics that the device has sent, with unit and scaling. GET /api/v1/devices/:deviceId/metrics */
      metrics: (deviceId: string, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/devices/${encodeURIComponent(deviceId)}/metrics` }, options) as Promise<Answer<'devices', 'metrics'>>,
      /** Change unit, scaling or bounds of a metric; stored samples stay as they are. PATCH /api/v1/devices/:deviceId/metrics/:metricKey */
      patchMetric: (deviceId: string, metricKey: string, body: Body<'devices', 'patchMetric'>, options?: RequestOptions) =>
        send({ method: 'PATCH', path: `/api/v1/devices/${encodeURIComponent(deviceId)}/metrics/${encodeURIComponent(metricKey)}`, body }, options) as Promise<Answer<'devices', 'patchMetric'>>,
    },
    telemetry: {
      /** A range of a device's telemetry: samples, or roll-ups. GET /api/v1/telemetry/device/:deviceId */
      device: (deviceId: string, query: Query<'telemetry', 'device'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/telemetry/device/${encodeURIComponent(deviceId)}`, query }, options) as Promise<Answer<'telemetry', 'device'>>,
      /** The newest value of each metric of a device. GET /api/v1/telemetry/device/:deviceId/latest */
      latest: (deviceId: string, query: Query<'telemetry', 'latest'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/telemetry/device/${encodeURIComponent(deviceId)}/latest`, query }, options) as Promise<Answer<'telemetry', 'latest'>>,
      /** Several series of several devices in columns, reduced to what a chart needs. POST /api/v1/telemetry/query */
      query: (body: Body<'telemetry', 'query'>, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/telemetry/query', body }, options) as Promise<Answer<'telemetry', 'query'>>,
      /** The same range by the parameter names of robot fleets. GET /api/v1/robots/:deviceId/telemetry */
      robot: (deviceId: string, query: Query<'telemetry', 'robot'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/robots/${encodeURIComponent(deviceId)}/telemetry`, query }, options) as Promise<Answer<'telemetry', 'robot'>>,
    },
    replays: {
      /** Replay what was received in a range of time (endTime absent: until now). POST /api/v1/telemetry/replay */
      start: (body: Body<'replays', 'start'>, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/telemetry/replay', body }, options) as Promise<Answer<'replays', 'start'>>,
      /** How far a replay is. GET /api/v1/telemetry/replay/:jobId */
      get: (jobId: string, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/telemetry/replay/${encodeURIComponent(jobId)}` }, options) as Promise<Answer<'replays', 'get'>>,
    },
    jobs: {
      /** Jobs, newest first. GET /api/v1/jobs */
      list: (query: Query<'jobs', 'list'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/jobs', query }, options) as Promise<Answer<'jobs', 'list'>>,
      /** How far a job is. GET /api/v1/jobs/:jobId */
      get: (jobId: string, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/jobs/${encodeURIComponent(jobId)}` }, options) as Promise<Answer<'jobs', 'get'>>,
      /** Let a job rest. POST /api/v1/jobs/:jobId/pause */
      pause: (jobId: string, options?: RequestOptions) =>
        send({ method: 'POST', path: `/api/v1/jobs/${encodeURIComponent(jobId)}/pause` }, options) as Promise<Answer<'jobs', 'pause'>>,
      /** Let a paused or failed job go on where it was. POST /api/v1/jobs/:jobId/resume */
      resume: (jobId: string, options?: RequestOptions) =>
        send({ method: 'POST', path: `/api/v1/jobs/${encodeURIComponent(jobId)}/resume` }, options) as Promise<Answer<'jobs', 'resume'>>,
      /** End a job for good; its sandbox is deleted. POST /api/v1/jobs/:jobId/cancel */
      cancel: (jobId: string, options?: RequestOptions) =>
        send({ method: 'POST', path: `/api/v1/jobs/${encodeURIComponent(jobId)}/cancel` }, options) as Promise<Answer<'jobs', 'cancel'>>,
      /** Forget a job that has ended, and delete its sandbox. DELETE /api/v1/jobs/:jobId */
      delete: (jobId: string, options?: RequestOptions) =>
        send({ method: 'DELETE', path: `/api/v1/jobs/${encodeURIComponent(jobId)}` }, options) as Promise<void>,
      /** How many jobs wait, run and have ended, by kind. GET /api/v1/queues/stats */
      queueStats: (options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/queues/stats' }, options) as Promise<Answer<'jobs', 'queueStats'>>,
      /** Cancel the jobs that wait for another attempt. DELETE /api/v1/queues/delayed */
      clearDelayed: (options?: RequestOptions) =>
        send({ method: 'DELETE', path: '/api/v1/queues/delayed' }, options) as Promise<Answer<'jobs', 'clearDelayed'>>,
    },
    deadLetters: {
      /** Dead letters, newest first. GET /api/v1/dead-letters */
      list: (query: Query<'deadLetters', 'list'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/dead-letters', query }, options) as Promise<Answer<'deadLetters', 'list'>>,
      /** One dead letter with its payload. GET /api/v1/dead-letters/:deadLetterId */
      get: (deadLetterId: string, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/dead-letters/${encodeURIComponent(deadLetterId)}` }, options) as Promise<Answer<'deadLetters', 'get'>>,
      /** Take dead letters in again, after the cause is mended. POST /api/v1/dead-letters/replay */
      replay: (body: Body<'deadLetters', 'replay'>, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/dead-letters/replay', body }, options) as Promise<Answer<'deadLetters', 'replay'>>,
    },
    pipeline: {
      /** What waits, how fast it goes, what failed. GET /api/v1/pipeline/health */
      health: (options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/pipeline/health' }, options) as Promise<Answer<'pipeline', 'health'>>,
    },
    events: {
      /** Events, newest first. GET /api/v1/events */
      list: (query: Query<'events', 'list'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/events', query }, options) as Promise<Answer<'events', 'list'>>,
    },
    ingest: {
      /** Readings of one or many devices; 202 after they are durable (X-API-Key with the scope ingest). POST /api/v1/webhook/sensor-data */
      sensorData: (body: Body<'ingest', 'sensorData'>, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/webhook/sensor-data', body }, options) as Promise<Answer<'ingest', 'sensorData'>>,
      /** How far the readings of a receipt have come. GET /api/v1/webhook/status/:receiptId */
      status: (receiptId: string, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/webhook/status/${encodeURIComponent(receiptId)}` }, options) as Promise<Answer<'ingest', 'status'>>,
    },
    health: {
      /** The process answers. GET /health/live */
      live: (options?: RequestOptions) =>
        send({ method: 'GET', path: '/health/live', withoutRefresh: true }, options) as Promise<Answer<'health', 'live'>>,
      /** Every part can do its work; 503 with the same body where one cannot. GET /health/ready */
      ready: (options?: RequestOptions) =>
        send({ method: 'GET', path: '/health/ready', withoutRefresh: true }, options) as Promise<Answer<'health', 'ready'>>,
      /** Prometheus text. GET /metrics */
      metrics: (options?: RequestOptions) =>
        send({ method: 'GET', path: '/metrics', text: true, withoutRefresh: true }, options) as Promise<Answer<'health', 'metrics'>>,
    },
    sites: {
      /** Sites by name. GET /api/v1/sites */
      list: (query: Query<'sites', 'list'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/sites', query }, options) as Promise<Answer<'sites', 'list'>>,
      /** Make a site. POST /api/v1/sites */
      create: (body: Body<'sites', 'create'>, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/sites', body }, options) as Promise<Answer<'sites', 'create'>>,
      /** One site. GET /api/v1/sites/:siteId */
      get: (siteId: string, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/sites/${encodeURIComponent(siteId)}` }, options) as Promise<Answer<'sites', 'get'>>,
      /** Change a site. PATCH /api/v1/sites/:siteId */
      patch: (siteId: string, body: Body<'sites', 'patch'>, options?: RequestOptions) =>
        send({ method: 'PATCH', path: `/api/v1/sites/${encodeURIComponent(siteId)}`, body }, options) as Promise<Answer<'sites', 'patch'>>,
      /** Remove a site that no device belongs to. DELETE /api/v1/sites/:siteId */
      delete: (siteId: string, options?: RequestOptions) =>
        send({ method: 'DELETE', path: `/api/v1/sites/${encodeURIComponent(siteId)}` }, options) as Promise<void>,
    },
    organization: {
      /** The caller's organization. GET /api/v1/organization */
      get: (options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/organization' }, options) as Promise<Answer<'organization', 'get'>>,
      /** Change names and settings. PATCH /api/v1/organization */
      patch: (body: Body<'organization', 'patch'>, options?: RequestOptions) =>
        send({ method: 'PATCH', path: '/api/v1/organization', body }, options) as Promise<Answer<'organization', 'patch'>>,
    },
    mappings: {
      /** The mappings in the order in which they are tried. GET /api/v1/mappings */
      list: (options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/mappings' }, options) as Promise<Answer<'mappings', 'list'>>,
      /** Add a mapping. POST /api/v1/mappings */
      create: (body: Body<'mappings', 'create'>, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/mappings', body }, options) as Promise<Answer<'mappings', 'create'>>,
      /** One mapping. GET /api/v1/mappings/:mappingId */
      get: (mappingId: string, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/mappings/${encodeURIComponent(mappingId)}` }, options) as Promise<Answer<'mappings', 'get'>>,
      /** Change a mapping of the organization. PATCH /api/v1/mappings/:mappingId */
      patch: (mappingId: string, body: Body<'mappings', 'patch'>, options?: RequestOptions) =>
        send({ method: 'PATCH', path: `/api/v1/mappings/${encodeURIComponent(mappingId)}`, body }, options) as Promise<Answer<'mappings', 'patch'>>,
      /** Remove a mapping of the organization. DELETE /api/v1/mappings/:mappingId */
      delete: (mappingId: string, options?: RequestOptions) =>
        send({ method: 'DELETE', path: `/api/v1/mappings/${encodeURIComponent(mappingId)}` }, options) as Promise<void>,
    },
    apiKeys: {
      /** API keys, newest first; revoked ones too. GET /api/v1/api-keys */
      list: (query: Query<'apiKeys', 'list'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/api-keys', query }, options) as Promise<Answer<'apiKeys', 'list'>>,
      /** Make an API key; it is shown this once. POST /api/v1/api-keys */
      create: (body: Body<'apiKeys', 'create'>, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/api-keys', body }, options) as Promise<Answer<'apiKeys', 'create'>>,
      /** One API key, without the key itself. GET /api/v1/api-keys/:apiKeyId */
      get: (apiKeyId: string, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/api-keys/${encodeURIComponent(apiKeyId)}` }, options) as Promise<Answer<'apiKeys', 'get'>>,
      /** Revoke an API key; it is worth nothing from now on. DELETE /api/v1/api-keys/:apiKeyId */
      revoke: (apiKeyId: string, options?: RequestOptions) =>
        send({ method: 'DELETE', path: `/api/v1/api-keys/${encodeURIComponent(apiKeyId)}` }, options) as Promise<void>,
    },
    users: {
      /** Users by e-mail. GET /api/v1/users */
      list: (query: Query<'users', 'list'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/users', query }, options) as Promise<Answer<'users', 'list'>>,
      /** Make a user. POST /api/v1/users */
      create: (body: Body<'users', 'create'>, options?: RequestOptions) =>
        send({ method: 'POST', path: '/api/v1/users', body }, options) as Promise<Answer<'users', 'create'>>,
      /** One user. GET /api/v1/users/:userId */
      get: (userId: string, options?: RequestOptions) =>
        send({ method: 'GET', path: `/api/v1/users/${encodeURIComponent(userId)}` }, options) as Promise<Answer<'users', 'get'>>,
      /** Change or disable a user; a change of rights ends their sessions. PATCH /api/v1/users/:userId */
      patch: (userId: string, body: Body<'users', 'patch'>, options?: RequestOptions) =>
        send({ method: 'PATCH', path: `/api/v1/users/${encodeURIComponent(userId)}`, body }, options) as Promise<Answer<'users', 'patch'>>,
      /** Remove a user; their sessions end. DELETE /api/v1/users/:userId */
      delete: (userId: string, options?: RequestOptions) =>
        send({ method: 'DELETE', path: `/api/v1/users/${encodeURIComponent(userId)}` }, options) as Promise<void>,
    },
    audit: {
      /** The audit trail, newest first. GET /api/v1/audit */
      list: (query: Query<'audit', 'list'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/audit', query }, options) as Promise<Answer<'audit', 'list'>>,
      /** Goes through the chain of hashes; sequence and hash of an entry that was noted earlier tell a trail that was written anew. GET /api/v1/audit/verify */
      verify: (query: Query<'audit', 'verify'> = {}, options?: RequestOptions) =>
        send({ method: 'GET', path: '/api/v1/audit/verify', query }, options) as Promise<Answer<'audit', 'verify'>>,
    },
  };
}
export type Client = ReturnType<typeof createClient>;
