/**
 * Which metrics share a lane of the chart. A lane has one value axis, so it holds one unit. Where units are not known,
 * names that differ only in their numbers (joint_1, joint_2) belong together; others stand alone.
 */
export interface TraceInfo {
  readonly metricKey: string;
  readonly unit: string;
}

export interface Lane<T extends TraceInfo = TraceInfo> {
  readonly id: string;
  readonly unit: string;
  readonly traces: readonly T[];
}

/** Lanes in the order in which their first metric comes. */
export function groupIntoLanes<T extends TraceInfo>(traces: readonly T[]): Lane<T>[] {
  const lanes = new Map<string, { id: string; unit: string; traces: T[] }>();
  for (const trace of traces) {
    const id = trace.unit === '' ? `~${trace.metricKey.replace(/\d+/g, '#')}` : trace.unit;
    const lane = lanes.get(id) ?? { id, unit: trace.unit, traces: [] };
    lane.traces.push(trace);
    lanes.set(id, lane);
  }
  return [...lanes.values()];
}

/** Height of each lane in pixels: the given height shared out, but never too flat to read. */
export function laneHeight(laneCount: number, heightPx: number, laneHeightMin = 84): number {
  return Math.max(laneHeightMin, Math.floor(heightPx / Math.max(1, laneCount)));
}
