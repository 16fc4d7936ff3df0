/** One row of the device list, and the head above the rows. */
import { Skeleton } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { ArrowDown, ArrowUp } from 'lucide-react';
import { KindIcon } from '../../faces/KindIcon.tsx';
import { StatusDot } from '../../faces/StatusDot.tsx';
import { Time } from '../../faces/Time.tsx';
import { t } from '../../i18n/index.ts';
import type { LiveStatus } from './live-status.ts';
import { type DeviceFilter, nextSort, type SORTS } from './panel-state.ts';
import type { Device } from './use-device-pages.ts';

/** Cells are read with their row; the row is what keys move to. */
const CELL = { role: 'gridcell', tabIndex: -1 } as const;

const rowProps = (row: number) => ({ role: 'row', tabIndex: -1, 'aria-rowindex': row + 1 }) as const;

interface RowProps {
  readonly row: number;
  readonly topPx: number;
  readonly device: Device | undefined;
  readonly isActive: boolean;
  readonly siteNames: ReadonlyMap<string, string>;
  readonly liveStatus: LiveStatus;
}

export function DeviceRow({ row, topPx, device, isActive, siteNames, liveStatus }: RowProps) {
  const position = { transform: `translateY(${topPx}px)` };
  if (device === undefined) {
    return (
      <div {...rowProps(row)} className="fl-device-row" style={position}>
        <Skeleton height={10} width="60%" />
      </div>
    );
  }
  const status = liveStatus.statusOf(device.id, device.status);
  const lastSeen = liveStatus.lastSeenOf(device.id, device.lastSeen);
  return (
    <Link
      {...rowProps(row)}
      id={`device-row-${row}`}
      className="fl-device-row"
      aria-label={t.devices.rowLabel(device.name, t.devices.statuses[status])}
      data-active={isActive}
      style={position}
      to="/devices/$deviceId"
      params={{ deviceId: device.id }}
      preload={false}
    >
      <span {...CELL} className="fl-device-name">
        <span className="fl-device-kind">
          <KindIcon kind={device.kind} />
        </span>
        <span className="fl-device-names">
          <span>{device.name}</span>
          <span className="fl-faint fl-mono">{device.key}</span>
        </span>
      </span>
      <span {...CELL} className="fl-soft fl-wide-only">
        {t.devices.kinds[device.kind]}
      </span>
      <span {...CELL} className="fl-soft fl-cut">
        {device.siteId === null ? (
          <span className="fl-faint">{t.devices.noSite}</span>
        ) : (
          (siteNames.get(device.siteId) ?? '–')
        )}
      </span>
      <span {...CELL}>
        <StatusDot status={status} />
      </span>
      <span {...CELL} className="fl-soft fl-number fl-device-seen">
        <Time at={lastSeen} never={t.devices.never} />
      </span>
    </Link>
  );
}

interface HeadProps {
  readonly filter: DeviceFilter;
  readonly onFilter: (filter: DeviceFilter) => void;
}

export function ListHead({ filter, onFilter }: HeadProps) {
  const column = (label: string, sort: (typeof SORTS)[number] | null, className = '') => {
    if (sort === null) return <span className={className}>{label}</span>;
    const isSorted = (filter.sort ?? 'name') === sort;
    const Arrow = (filter.order ?? 'asc') === 'asc' ? ArrowUp : ArrowDown;
    return (
      <button
        type="button"
        className={className}
        data-sorted={isSorted}
        onClick={() => onFilter(nextSort(filter, sort))}
      >
        {label}
        {isSorted && <Arrow size={12} aria-hidden />}
      </button>
    );
  };
  return (
    <div className="fl-device-head">
      {column(t.devices.name, 'name')}
      {column(t.devices.kind, null, 'fl-wide-only')}
      {column(t.devices.site, null)}
      {column(t.devices.status, 'status')}
      {column(t.devices.lastSeen, 'lastSeen', 'fl-device-seen')}
    </div>
  );
}
