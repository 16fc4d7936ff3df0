/**
 * What the pipeline knows of devices and series while it runs: how to normalise a metric, its newest value, when the device
 * was last heard of. One object per series and per device, none per sample.
 */
import { type DirectoryDevice, linearConversion, type Micros, type SeriesDefinition } from '@fieldline/model';

export const KIND_NUMBER = 0;
export const KIND_BOOLEAN = 1;
export const KIND_TEXT = 2;
export type KindCode = typeof KIND_NUMBER | typeof KIND_BOOLEAN | typeof KIND_TEXT;

const KIND_CODE = { number: KIND_NUMBER, boolean: KIND_BOOLEAN, text: KIND_TEXT } as const;

export class SeriesState {
  readonly id: number;
  readonly metricKey: string;
  /** UCUM code of the stored values. */
  readonly unit: string;
  readonly kind: KindCode;
  /** stored = sent × factor + offset: the series' own scaling, then the unit's conversion. */
  readonly factor: number;
  readonly offset: number;
  readonly scaled: boolean;
  readonly minimum: number;
  readonly maximum: number;
  newestTime: Micros = Number.NEGATIVE_INFINITY;
  newestReceivedTime: Micros = 0;
  newestVersion = -1;
  newestValue = Number.NaN;
  newestQuality = 0;
  newestText: string | null = null;

  constructor(definition: SeriesDefinition) {
    this.id = definition.id;
    this.metricKey = definition.metricKey;
    this.unit = definition.unit;
    this.kind = KIND_CODE[definition.valueKind];
    const conversion = linearConversion(definition.sourceUnit, definition.unit) ?? { factor: 1, offset: 0 };
    this.factor = definition.scale * conversion.factor;
    this.offset = definition.offset * conversion.factor + conversion.offset;
    this.scaled = this.factor !== 1 || this.offset !== 0;
    this.minimum = definition.minimum ?? Number.NEGATIVE_INFINITY;
    this.maximum = definition.maximum ?? Number.POSITIVE_INFINITY;
  }

  /** Takes the newest value over from the state that this one replaces. */
  inherit(before: SeriesState): void {
    this.newestTime = before.newestTime;
    this.newestReceivedTime = before.newestReceivedTime;
    this.newestVersion = before.newestVersion;
    this.newestValue = before.newestValue;
    this.newestQuality = before.newestQuality;
    this.newestText = before.newestText;
  }
}

export class DeviceState {
  device: DirectoryDevice;
  readonly series = new Map<string, SeriesState>();
  lastSeen: Micros = 0;
  lastSeenTold = true;
  /** Whether somebody looks at this device: at every sample, at the newest ones, or not at all. */
  interest: 'all' | 'latest' | 'none' = 'none';

  constructor(device: DirectoryDevice) {
    this.device = device;
  }
}
