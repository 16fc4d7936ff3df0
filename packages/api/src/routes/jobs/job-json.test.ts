import type { Job } from '@fieldline/catalog';
import { expect, it } from 'vitest';
import { jobJson } from './job-json.ts';

const SECOND = 1_000_000;
const NOW = 1_800_000_000 * SECOND;
const JOB: Job = {
  ...{ id: 'j', organizationId: 'o', kind: 'k', parameters: {}, checkpoint: null, result: null, error: null },
  ...{ attempts: 1, attemptsMax: 5, runAt: NOW - SECOND, leaseUntil: null, userId: null, createdAt: 0, updatedAt: 0 },
  ...{ status: 'running', progressDone: 30, progressTotal: 100, progressAtStart: 10 },
  ...{ startedAt: NOW - 10 * SECOND, finishedAt: null },
};

it.each<[string, Partial<Job>, number | null, number | null]>([
  ['20 in 10 s, 70 left', {}, 30, 35],
  ['no pace yet', { progressDone: 10 }, 10, null],
  ['no total yet', { progressTotal: null }, null, null],
  ['paused', { status: 'paused' }, 30, null],
  ['nothing to do', { status: 'completed', progressDone: 0, progressTotal: 0, progressAtStart: 0 }, 100, null],
])('%s', (_, more, percent, secondsLeft) => {
  const told = jobJson({ ...JOB, ...more }, NOW);
  expect([told.progress.percent, told.secondsLeft]).toEqual([percent, secondsLeft]);
});

it('tells when the next attempt follows', () => {
  const delayed = { ...JOB, status: 'queued', runAt: NOW + SECOND } as const;
  expect(jobJson(delayed, NOW).delayedUntil).not.toBeNull();
  expect(jobJson({ ...delayed, runAt: NOW }, NOW).delayedUntil).toBeNull();
});
