/** A series: one metric of one device or asset. Its id is an integer, unique in the installation, never reused. */

export type SubjectKind = 'device' | 'asset';
export type ValueKind = 'number' | 'boolean' | 'text';

export interface SeriesDefinition {
  readonly id: number;
  readonly organizationId: string;
  readonly subjectKind: SubjectKind;
  /** Device or asset id (UUID). */
  readonly subjectId: string;
  readonly metricKey: string;
  readonly valueKind: ValueKind;
  /** UCUM code of the stored values; '' where it is not known. */
  readonly unit: string;
  /** UCUM code in which the device sends; '' = as stored. Converted on the way in. */
  readonly sourceUnit: string;
  /** stored = sent × scale + offset, before the unit is converted. */
  readonly scale: number;
  readonly offset: number;
  /** Values outside are clamped and marked uncertain; null = no bound. In the stored unit. */
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What a telemetry store keeps of a series: what its samples mean. */
export type StoredSeries = Pick<
  SeriesDefinition,
  'id' | 'organizationId' | 'subjectKind' | 'subjectId' | 'metricKey' | 'valueKind' | 'unit' | 'metadata'
>;

/** What is known about a series the first time its metric is seen. */
export interface SeriesRequest {
  readonly organizationId: string;
  readonly subjectKind: SubjectKind;
  readonly subjectId: string;
  readonly metricKey: string;
  readonly valueKind: ValueKind;
  readonly unit?: string;
}

/** Metric keys are 1 to 256 characters without control characters. */
export const METRIC_KEY_LENGTH_MAX = 256;
