/** A job as it is told: progress in percent, and how long it may take from the pace so far. */
import type { Job as JobRow } from '@fieldline/catalog';
import type { Job } from '@fieldline/contract';
import { MICROS_PER_SECOND, type Micros } from '@fieldline/model';
import { isoOrNull, resource } from '../../text.ts';
import { pacedSecondsLeft, REPLAY_KIND, replayParametersJson } from '../replays/replay-job.ts';

export function jobJson(row: JobRow, now: Micros): Job {
  const { progressDone: done, progressTotal: total, status } = row;
  const percent = total === null ? null : total === 0 ? 100 : Math.min(100, Math.round((done / total) * 1000) / 10);
  return resource(row, {
    kind: row.kind,
    status,
    parameters: row.kind === REPLAY_KIND ? replayParametersJson(row) : { ...row.parameters },
    progress: { done, total, percent: status === 'completed' ? 100 : percent },
    secondsLeft: status === 'running' || status === 'queued' ? secondsLeft(row, now) : null,
    attempts: row.attempts,
    attemptsMax: row.attemptsMax,
    delayedUntil: status === 'queued' && row.runAt > now ? isoOrNull(row.runAt) : null,
    startedAt: isoOrNull(row.startedAt),
    finishedAt: isoOrNull(row.finishedAt),
    error: row.error,
    result: row.result === null ? null : { ...row.result },
    userId: row.userId,
  });
}

/** From the pace so far; before there is one, from the pace that was asked for. */
function secondsLeft(row: JobRow, now: Micros): number | null {
  const { status, startedAt, progressTotal, progressDone, progressAtStart } = row;
  const askedFor = row.kind === REPLAY_KIND ? pacedSecondsLeft(row) : null;
  if (status !== 'running' || startedAt === null || progressTotal === null) return askedFor;
  const perSecond = (progressDone - progressAtStart) / Math.max(1, (now - startedAt) / MICROS_PER_SECOND);
  return perSecond <= 0 ? askedFor : Math.ceil((progressTotal - progressDone) / perSecond);
}
