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

const LANE_HEIGHT_MIN_PX = 84;
const LEGEND_LINE_PX = 22;
const LEGEND_MARGIN_PX = 16;

/**
 * Heights of the lanes in pixels: the given height shared out, lanes with several traces taller. Never too flat to read or
 * for its legend, so together they may be higher than asked.
 */
export function laneHeights(lanes: readonly Pick<Lane, 'traces'>[], heightPx: number): number[] {
  const weights = lanes.map((lane) => 1 + Math.min(1, (lane.traces.length - 1) / 5));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return lanes.map((lane, index) =>
    Math.max(
      LANE_HEIGHT_MIN_PX,
      lane.traces.length * LEGEND_LINE_PX + LEGEND_MARGIN_PX,
      Math.floor((heightPx * weights[index]!) / total),
    ),
  );
}
