/** From "auto" to a resolution, and the time zone of days. Pure. */
import { MICROS_PER_HOUR, MICROS_PER_MINUTE, RESOLUTION_MICROS, RESOLUTIONS, type Resolution } from '@fieldline/model';
import { badRequest } from '../../text.ts';

/** Up to here "auto" gives samples as they came: in pages, and reduced for a chart. */
const PAGE_RAW_SPAN_MAX = 15 * MICROS_PER_MINUTE;
const CHART_RAW_SPAN_MAX = 6 * MICROS_PER_HOUR;

/** The finest roll-up of which at most `points` fit into the span; days where none does. */
export function finestResolution(span: number, points: number): Resolution {
  return RESOLUTIONS.find((resolution) => span / RESOLUTION_MICROS[resolution] <= points) ?? '1d';
}

/** Buckets that touch a span of this length: one more at either end. */
export function bucketCount(span: number, resolution: Resolution): number {
  return Math.ceil(span / RESOLUTION_MICROS[resolution]) + 2;
}

/** What "auto" means for a page of points. */
export function autoForPage(span: number, limit: number): 'none' | Resolution {
  return span <= PAGE_RAW_SPAN_MAX ? 'none' : finestResolution(span, limit);
}

/** What "auto" means for a chart of so many points. */
export function autoForChart(span: number, points: number): 'none' | Resolution {
  return span <= CHART_RAW_SPAN_MAX ? 'none' : finestResolution(span, points);
}

/** The name where it is an IANA time zone, else BAD_REQUEST. */
export function checkTimeZone(timeZone: string, path: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
  } catch {
    // Intl throws for names that it does not know, and that is the whole question.
    throw badRequest(path, `${JSON.stringify(timeZone)} is no time zone; send an IANA name such as Europe/Vienna`);
  }
}
