/** Events: what happened. They go to the log's `events` topic and from there into the catalog's table. */
import type { Micros } from './time.ts';

export const EVENT_TYPES = [
  'DEVICE_CONNECTED',
  'DEVICE_DISCONNECTED',
  'DEVICE_CONNECT_REFUSED',
  'DEVICE_REGISTERED',
  'STORAGE_LOW',
  'STORAGE_FULL',
  'STORAGE_FREED',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export interface DomainEvent {
  /** UUID; an event that is told twice keeps its id. */
  readonly id: string;
  readonly organizationId: string;
  readonly type: EventType;
  readonly subjectKind: 'device' | 'asset' | 'user' | 'system';
  readonly subjectId: string;
  readonly time: Micros;
  readonly payload: Readonly<Record<string, unknown>>;
}
