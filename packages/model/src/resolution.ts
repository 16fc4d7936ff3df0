/** Resolutions in which telemetry can be read. Days are made of hours, in the site's time zone. */
import { MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND } from './time.ts';

export const RESOLUTIONS = ['1s', '10s', '1m', '5m', '1h', '1d'] as const;
export type Resolution = (typeof RESOLUTIONS)[number];

/** Length of a bucket in microseconds; for '1d' the nominal one (a day of daylight saving has 23 or 25 hours). */
export const RESOLUTION_MICROS: Readonly<Record<Resolution, number>> = {
  '1s': MICROS_PER_SECOND,
  '10s': 10 * MICROS_PER_SECOND,
  '1m': MICROS_PER_MINUTE,
  '5m': 5 * MICROS_PER_MINUTE,
  '1h': MICROS_PER_HOUR,
  '1d': MICROS_PER_DAY,
};
