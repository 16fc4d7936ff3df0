/** The cursor of a telemetry page: where the last one ended, and what it had decided (resolution, end). Base64url, opaque. */
import { isMicros, type Micros, RESOLUTIONS, type Resolution } from '@fieldline/model';
import { badRequest } from '../../text.ts';

export interface TelemetryCursor {
  /** Time and series of the last point that was given out; the next one is behind (time, seriesId). */
  readonly time: Micros;
  readonly seriesId: number;
  readonly aggregation: 'none' | Resolution;
  /** End of the range, exclusive. */
  readonly to: Micros;
}

export function encodeCursor({ time, seriesId, aggregation, to }: TelemetryCursor): string {
  return Buffer.from(JSON.stringify([time, seriesId, aggregation, to])).toString('base64url');
}

/** Takes nothing on trust: a cursor that is not well formed is a BAD_REQUEST. */
export function decodeCursor(text: string): TelemetryCursor {
  try {
    const [time, seriesId, aggregation, to] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[];
    if (isTime(time) && isTime(to) && Number.isInteger(seriesId) && isAggregation(aggregation)) {
      return { time, seriesId: seriesId as number, aggregation, to };
    }
  } catch {
    // Not base64 or not JSON: the same answer as for any other wrong cursor.
  }
  throw badRequest('query/cursor', 'is not one that this api gave out; start again without it');
}

function isTime(value: unknown): value is Micros {
  return typeof value === 'number' && isMicros(value);
}

function isAggregation(value: unknown): value is TelemetryCursor['aggregation'] {
  return value === 'none' || (RESOLUTIONS as readonly unknown[]).includes(value);
}
