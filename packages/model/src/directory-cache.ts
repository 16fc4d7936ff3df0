/**
 * The directory as an index: one snapshot, then changes; look-ups by what stands on the wire. Broker and pipeline each
 * hold one. Pure: reads no clock, does no I/O.
 */
import type {
  DirectoryChange,
  DirectoryDevice,
  DirectoryOrganization,
  DirectorySnapshot,
  TopicMapping,
} from './directory.ts';
import type { SeriesDefinition } from './series.ts';
import { type MappingMatch, TopicMatcher } from './topic-mapping.ts';

export class DirectoryCache {
  #version = 0;
  readonly #organizations = new Map<string, DirectoryOrganization>();
  readonly #organizationBySlug = new Map<string, DirectoryOrganization>();
  readonly #devices = new Map<string, DirectoryDevice>();
  readonly #deviceByKey = new Map<string, DirectoryDevice>();
  readonly #mappings = new Map<string, TopicMapping>();
  readonly #series = new Map<number, SeriesDefinition>();
  readonly #seriesByMetric = new Map<string, Map<string, SeriesDefinition>>();
  #matcher: TopicMatcher | null = null;

  constructor(snapshot?: DirectorySnapshot) {
    if (snapshot !== undefined) this.load(snapshot);
  }

  /** Version of the last change that was taken in. */
  get version(): number {
    return this.#version;
  }

  /** Replaces everything by a snapshot. */
  load(snapshot: DirectorySnapshot): void {
    for (const map of [
      this.#organizations,
      this.#organizationBySlug,
      this.#devices,
      this.#deviceByKey,
      this.#mappings,
      this.#series,
      this.#seriesByMetric,
    ]) {
      map.clear();
    }
    for (const organization of snapshot.organizations) this.#putOrganization(organization);
    for (const device of snapshot.devices) this.#putDevice(device);
    for (const mapping of snapshot.mappings) this.#mappings.set(mapping.id, mapping);
    for (const series of snapshot.series) this.#putSeries(series);
    this.#matcher = null;
    this.#version = snapshot.version;
  }

  /** Takes one change in. A change that is already in (version not higher) is passed over, except for series. */
  apply(change: DirectoryChange): void {
    if (change.kind === 'series') this.#putSeries(change.series);
    else if (change.version <= this.#version) return;
    else this.#applyVersioned(change);
    this.#version = Math.max(this.#version, change.version);
  }

  /** Takes in a device that was learned of before its change has come; the version stays. */
  adopt(device: DirectoryDevice): void {
    this.#putDevice(device);
  }

  organization(idOrSlug: string): DirectoryOrganization | undefined {
    return this.#organizations.get(idOrSlug) ?? this.#organizationBySlug.get(idOrSlug);
  }

  device(id: string): DirectoryDevice | undefined {
    return this.#devices.get(id);
  }

  devices(): Iterable<DirectoryDevice> {
    return this.#devices.values();
  }

  /** A device of this organisation by its id or by its key. */
  findDevice(organizationId: string, idOrKey: string): DirectoryDevice | undefined {
    const byId = this.#devices.get(idOrKey);
    if (byId !== undefined) return byId.organizationId === organizationId ? byId : undefined;
    return this.#deviceByKey.get(`${organizationId}/${idOrKey}`);
  }

  /** The mapping that a topic falls under; null = none. */
  matchTopic(organizationId: string, topic: string): MappingMatch | null {
    this.#matcher ??= new TopicMatcher(this.#mappings.values());
    return this.#matcher.match(organizationId, topic);
  }

  mapping(id: string): TopicMapping | undefined {
    return this.#mappings.get(id);
  }

  series(id: number): SeriesDefinition | undefined {
    return this.#series.get(id);
  }

  allSeries(): Iterable<SeriesDefinition> {
    return this.#series.values();
  }

  /** Metric key → series of one device or asset; undefined where it has none yet. */
  seriesOf(subjectId: string): ReadonlyMap<string, SeriesDefinition> | undefined {
    return this.#seriesByMetric.get(subjectId);
  }

  #applyVersioned(change: Exclude<DirectoryChange, { kind: 'series' }>): void {
    switch (change.kind) {
      case 'organization':
        this.#putOrganization(change.organization);
        break;
      case 'device':
        this.#putDevice(change.device);
        break;
      case 'device-removed':
        this.#removeDevice(change.deviceId);
        break;
      case 'mapping':
        this.#mappings.set(change.mapping.id, change.mapping);
        this.#matcher = null;
        break;
      case 'mapping-removed':
        this.#mappings.delete(change.mappingId);
        this.#matcher = null;
        break;
    }
  }

  #putOrganization(organization: DirectoryOrganization): void {
    const before = this.#organizations.get(organization.id);
    if (before !== undefined) this.#organizationBySlug.delete(before.slug);
    this.#organizations.set(organization.id, organization);
    this.#organizationBySlug.set(organization.slug, organization);
  }

  #putDevice(device: DirectoryDevice): void {
    this.#removeDevice(device.id);
    this.#devices.set(device.id, device);
    this.#deviceByKey.set(`${device.organizationId}/${device.key}`, device);
  }

  #removeDevice(id: string): void {
    const before = this.#devices.get(id);
    if (before === undefined) return;
    this.#devices.delete(id);
    this.#deviceByKey.delete(`${before.organizationId}/${before.key}`);
  }

  #putSeries(series: SeriesDefinition): void {
    this.#series.set(series.id, series);
    let metrics = this.#seriesByMetric.get(series.subjectId);
    if (metrics === undefined) {
      metrics = new Map();
      this.#seriesByMetric.set(series.subjectId, metrics);
    }
    metrics.set(series.metricKey, series);
  }
}
