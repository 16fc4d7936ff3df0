/**
 * What the pipeline knows of devices and series while it runs: how to normalise a metric, its newest value, when the device
 * was last heard of. One object per series and per device, none per sample; they stay the same objects when their
 * definition changes.
 */
import {
  type DirectoryDevice,
  type LinearConversion,
  linearConversion,
  type Micros,
  type SeriesDefinition,
} from '@fieldline/model';
import type { AssignedTimes } from './assigned-times.ts';

export const KIND_NUMBER = 0;
export const KIND_BOOLEAN = 1;
export const KIND_TEXT = 2;
export type KindCode = typeof KIND_NUMBER | typeof KIND_BOOLEAN | typeof KIND_TEXT;

const KIND_CODE = { number: KIND_NUMBER, boolean: KIND_BOOLEAN, text: KIND_TEXT } as const;
const IDENTITY: LinearConversion = { factor: 1, offset: 0 };

export class SeriesState {
  readonly id: number;
  readonly metricKey: string;
  /** UCUM code of the stored values. */
  unit = '';
  sourceUnit = '';
  kind: KindCode = KIND_NUMBER;
  /** The series' own scaling, before any unit is converted: scaled = sent × scale + shift. */
  scale = 1;
  shift = 0;
  /** stored = sent × factor + offset: the series' own scaling, then sourceUnit → unit. */
  factor = 1;
  offset = 0;
  hasConversion = false;
  minimum = Number.NEGATIVE_INFINITY;
  maximum = Number.POSITIVE_INFINITY;
  newestTime: Micros = Number.NEGATIVE_INFINITY;
  newestReceivedTime: Micros = 0;
  newestVersion = Number.NEGATIVE_INFINITY;
  newestValue = Number.NaN;
  newestQuality = 0;
  newestText: string | null = null;
  /** The newest value has not been told to those who look at the newest ones. */
  isNews = false;
  /** What samples without a time were given; null = there was none. See stages/assign-times.ts. */
  assignedTimes: AssignedTimes | null = null;
  assignedTimesReplayed: AssignedTimes | null = null;
  #toldUnit = '';
  #toldConversion: LinearConversion | null = null;

  constructor(definition: SeriesDefinition) {
    this.id = definition.id;
    this.metricKey = definition.metricKey;
    this.define(definition);
  }

  /** Takes over what the definition says. A sourceUnit that cannot be converted into the unit is taken as the unit. */
  define(definition: SeriesDefinition): void {
    const { factor, offset } = linearConversion(definition.sourceUnit, definition.unit) ?? IDENTITY;
    this.unit = definition.unit;
    this.sourceUnit = definition.sourceUnit;
    this.kind = KIND_CODE[definition.valueKind];
    this.scale = definition.scale;
    this.shift = definition.offset;
    this.factor = definition.scale * factor;
    this.offset = definition.offset * factor + offset;
    this.hasConversion = this.kind === KIND_NUMBER && (this.factor !== 1 || this.offset !== 0);
    this.minimum = definition.minimum ?? Number.NEGATIVE_INFINITY;
    this.maximum = definition.maximum ?? Number.POSITIVE_INFINITY;
    this.#toldUnit = '';
  }

  /** The conversion from a unit that a payload told; null where there is none. The last one is remembered. */
  conversionFrom(unit: string): LinearConversion | null {
    if (unit !== this.#toldUnit) {
      this.#toldUnit = unit;
      this.#toldConversion = linearConversion(unit, this.unit);
    }
    return this.#toldConversion;
  }
}

export class DeviceState {
  device: DirectoryDevice;
  readonly series = new Map<string, SeriesState>();
  /** Grows when the device changes: what was concluded from it before holds no more. */
  generation = 0;
  lastSeen: Micros = 0;
  lastSeenTold = true;
  /** Until then (monotonic ms) new metrics are refused without asking: the device has reached its limit of series. */
  fullUntilMs = 0;
  /** Whether somebody looks at this device: at every sample, at the newest ones, or not at all. */
  interest: 'all' | 'latest' | 'none' = 'none';

  constructor(device: DirectoryDevice) {
    this.device = device;
  }
}
