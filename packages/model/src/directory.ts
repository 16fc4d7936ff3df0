/**
 * The directory: what broker and pipeline must know of the catalog, as plain data that crosses threads and processes.
 * They work on a cached copy: one snapshot at the start, then changes in the order in which they were committed.
 */
import type { SeriesDefinition } from './series.ts';

export type DeviceKind = 'robot' | 'plc' | 'sensor' | 'gateway' | 'machine' | 'other';
export type DeviceLifecycle = 'pending' | 'active' | 'decommissioned';

export interface DirectoryOrganization {
  readonly id: string;
  readonly slug: string;
  /** Unknown devices that speak through a known door are registered rather than refused. */
  readonly autoRegistration: boolean;
}

export interface DirectoryDevice {
  readonly id: string;
  readonly organizationId: string;
  /** What the device is called on the wire beside its id; unique in its organisation. */
  readonly key: string;
  readonly name: string;
  readonly kind: DeviceKind;
  readonly siteId: string | null;
  readonly lifecycle: DeviceLifecycle;
  /** SHA-256 of the device token, hex; null = no token, so no log-in by password. */
  readonly tokenSha256: string | null;
  /** The gateway that may speak for this device. */
  readonly gatewayId: string | null;
}

/** One row of the topic mappings: pattern → codec → device and metric. See topic-mapping.ts for the pattern's form. */
export interface TopicMapping {
  readonly id: string;
  /** null = built in, for every organisation. */
  readonly organizationId: string | null;
  readonly name: string;
  readonly pattern: string;
  readonly codec: string;
  /** Template of the device's key or id, e.g. '{device}'. */
  readonly device: string;
  /** Template of the metric key, e.g. '{metric}' or '{sensorType}.{metric}'; {metric} is what the payload says. */
  readonly metric: string;
  /** Higher first; of equal ones the more specific pattern. */
  readonly priority: number;
  readonly enabled: boolean;
}

export interface DirectorySnapshot {
  /** Grows with every change; also the mappingVersion of raw records. */
  readonly version: number;
  readonly organizations: readonly DirectoryOrganization[];
  readonly devices: readonly DirectoryDevice[];
  readonly mappings: readonly TopicMapping[];
  readonly series: readonly SeriesDefinition[];
}

export type DirectoryChange = { readonly version: number } & (
  | { readonly kind: 'organization'; readonly organization: DirectoryOrganization }
  | { readonly kind: 'device'; readonly device: DirectoryDevice }
  | { readonly kind: 'device-removed'; readonly deviceId: string }
  | { readonly kind: 'mapping'; readonly mapping: TopicMapping }
  | { readonly kind: 'mapping-removed'; readonly mappingId: string }
  | { readonly kind: 'series'; readonly series: SeriesDefinition }
);
