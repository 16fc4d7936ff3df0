/**
 * assign-times: samples without a time of their own get one, in the order of the log (assigned-times.ts). Messages that came in together
 * were received at the same time, and two samples of a series with the same time would be one: the second gets a
 * microsecond more, and so on.
 */
import { AssignedTimes } from '../assigned-times.ts';
import type { SeriesState } from '../series-state.ts';
import type { Work } from '../work.ts';

export function assignTimes(work: Work): void {
  const { batch, decoded, series, seconds } = work;
  const { sourceTime, recordIndex, count } = decoded;
  for (let row = 0; row < count; row++) {
    if (!Number.isNaN(sourceTime[row]!)) continue;
    const of = series[row]!;
    if (of === null) continue;
    const record = recordIndex[row]!;
    const isReplayed = work.routeOf(record).originalPosition !== null;
    const times = isReplayed ? timesOfReplayed(of) : timesOf(of);
    sourceTime[row] = times.next(seconds[record]!, batch.receivedTime[record]!);
  }
}

/** Made when first needed: most series have samples with times. */
function timesOf(of: SeriesState): AssignedTimes {
  of.assignedTimes ??= new AssignedTimes();
  return of.assignedTimes;
}

/** Replayed dead letters come with old received times; those that come for the first time are not mixed up with them. */
function timesOfReplayed(of: SeriesState): AssignedTimes {
  of.assignedTimesReplayed ??= new AssignedTimes();
  return of.assignedTimesReplayed;
}
