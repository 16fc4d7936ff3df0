/**
 * write: the rows that came through, into the batch for the store; newest values and last-seen times are noted
 * on the way. A sample's version is the position of its raw record, or the one that a replayed record first had.
 */
import type { SampleBatchBuilder } from '../sample-batch-builder.ts';
import type { DeviceState, SeriesState } from '../series-state.ts';
import type { Work } from '../work.ts';

export function write(work: Work, into: SampleBatchBuilder): void {
  const { batch, decoded, series } = work;
  const { positions } = batch;
  const { recordIndex, count } = decoded;
  into.reserve(count);
  const { seriesId, sourceTime, receivedTime, value, quality, version, recordPosition } = into;
  let at = into.count;
  for (let row = 0; row < count; row++) {
    const of = series[row]!;
    if (of === null) continue;
    const record = recordIndex[row]!;
    const position = positions === undefined ? batch.firstPosition + record : positions[record]!;
    const time = decoded.sourceTime[row]!;
    seriesId[at] = of.id;
    sourceTime[at] = time;
    receivedTime[at] = batch.receivedTime[record]!;
    value[at] = decoded.value[row]!;
    quality[at] = decoded.quality[row]!;
    version[at] = work.routeOf(record).originalPosition ?? position;
    recordPosition[at] = position;
    if (Number.isNaN(value[at])) into.setText(at, decoded.texts.get(row) ?? '');
    if (time > of.newestTime) takeNewest(of, into, at, decoded.texts.get(row));
    else behindNewest(of, into, at, decoded.texts.get(row));
    at += 1;
  }
  into.count = at;
}

function takeNewest(of: SeriesState, from: SampleBatchBuilder, at: number, text: string | undefined): void {
  of.newestTime = from.sourceTime[at]!;
  of.newestReceivedTime = from.receivedTime[at]!;
  of.newestVersion = from.version[at]!;
  of.newestValue = from.value[at]!;
  of.newestQuality = from.quality[at]!;
  of.newestText = text ?? null;
  of.isNews = true;
}

/**
 * A late sample, or another one at the newest time: a correction where its version is higher. After a restart the newest one's
 * version is not known: what is read for the first time is higher, of a replay it is left open.
 */
function behindNewest(of: SeriesState, into: SampleBatchBuilder, at: number, text: string | undefined): void {
  if (into.sourceTime[at]! !== of.newestTime) return;
  const version = into.version[at]!;
  if (version <= of.newestVersion) return;
  const isKnown = of.newestVersion !== Number.NEGATIVE_INFINITY || version === into.recordPosition[at]!;
  if (isKnown) takeNewest(of, into, at, text);
}

/** Notes when each device of the batch was last heard of; those that were not yet told of are added to `heard`. */
export function noteLastSeen(work: Work, heard: DeviceState[]): void {
  const { batch, routes } = work;
  for (let record = work.from; record < work.to; record++) {
    const originIndex = batch.originIndex[record]!;
    const { device, originalPosition } = routes[originIndex]!;
    if (device === null) continue;
    const received = batch.receivedTime[record]!;
    if (received <= device.lastSeen) continue;
    // A replay or a file with history is no word from the device.
    if (originalPosition !== null || batch.origins[originIndex]!.source === 'import') continue;
    device.lastSeen = received;
    if (!device.lastSeenTold) continue;
    device.lastSeenTold = false;
    heard.push(device);
  }
}
