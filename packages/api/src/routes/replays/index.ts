/** Replays: checked here, queued as a job, done by the server. */
import { microsToIso } from '@fieldline/model';
import type { ApiContext, GroupHandlers } from '../../handlers.ts';
import { userIdOf } from '../../principal.ts';
import { badRequest, notFound, parseTime } from '../../text.ts';
import { jobJson } from '../jobs/job-json.ts';
import { visibleDevice } from '../telemetry/visible-series.ts';
import { REPLAY_KIND, type ReplayParameters } from './replay-job.ts';

export function replayHandlers(context: ApiContext): GroupHandlers<'replays'> {
  return {
    start: async ({ body, principal, catalog }) => {
      const now = context.clock.nowMicros();
      const from = parseTime(body.startTime, 'body/startTime');
      const to = body.endTime === undefined ? now : parseTime(body.endTime, 'body/endTime');
      if (from >= to) throw badRequest('body/startTime', `is not before the end, ${microsToIso(to)}`);
      const found =
        body.devices === 'all'
          ? null
          : await Promise.all(body.devices.map((device) => visibleDevice(context, principal, device)));
      const parameters: ReplayParameters = {
        deviceIds: found === null ? null : [...new Set(found.map(({ id }) => id))],
        ...{ from, to, target: body.target },
        speed: body.speed === undefined || body.speed === 'max' ? null : body.speed,
      };
      const userId = userIdOf(principal);
      return jobJson(await catalog.jobs.create({ kind: REPLAY_KIND, parameters: { ...parameters }, userId }), now);
    },

    get: async ({ params, catalog }) => {
      const job = await catalog.jobs.get(params.jobId);
      if (job === null || job.kind !== REPLAY_KIND) throw notFound('replay', params.jobId);
      return jobJson(job, context.clock.nowMicros());
    },
  };
}
