/** A job as it is told: progress in percent, and how long it may take from the pace so far. */
import type { Job as JobRow } from '@fieldline/catalog';
import type { Job } from '@fieldline/contract';
import { MICROS_PER_SECOND, type Micros } from '@fieldline/model';
import { isoOrNull, resource } from '../../text.ts';

export function jobJson(row: JobRow, now: Micros): Job {
  const { progressDone: done, progressTotal: total, status } = row;
  const percent = total === null ? null : total === 0 ? 100 : Math.min(100, Math.round((done / total) * 1000) / 10);
  return resource(row, {
    kind: row.kind,
    status,
    parameters: { ...row.parameters },
    progress: { done, total, percent: status === 'completed' ? 100 : percent },
    secondsLeft: secondsLeft(row, now),
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

function secondsLeft(row: JobRow, now: Micros): number | null {
  const { status, startedAt, progressTotal, progressDone, progressAtStart } = row;
  if (status !== 'running' || startedAt === null || progressTotal === null) return null;
  const perSecond = (progressDone - progressAtStart) / Math.max(1, (now - startedAt) / MICROS_PER_SECOND);
  return perSecond <= 0 ? null : Math.ceil((progressTotal - progressDone) / perSecond);
}
