/** Draws the device list: filters above, virtual rows below; arrow keys move, Enter opens, / goes to the search. */
import { Button } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { Boxes, SearchX } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, type RefObject, useEffect, useMemo, useRef, useState } from 'react';
import { useSiteNames } from '../../api/use-sites.ts';
import { EmptyFace, ErrorFace } from '../../faces/Face.tsx';
import { StaleBar } from '../../faces/Faces.tsx';
import { LoadingFace } from '../../faces/LoadingFace.tsx';
import { t } from '../../i18n/index.ts';
import { useLiveEvents } from '../../live/index.ts';
import { useMe } from '../../session/index.ts';
import { DeviceFilters } from './Filters.tsx';
import { LiveStatus, useLiveStatusVersion } from './live-status.ts';
import { changeFilter, type DeviceFilter, isFiltered, pagesOf, rowAfterKey } from './panel-state.ts';
import { DeviceRow, ListHead } from './Row.tsx';
import { useDevicePages } from './use-device-pages.ts';
import './device-list.css';

interface Props {
  readonly filter: DeviceFilter;
  readonly onFilter: (filter: DeviceFilter) => void;
  /** Shown where there is no device at all. */
  readonly createButton: ReactNode;
}

const ROW_HEIGHT_PX = 44;
const OVERSCAN_ROWS = 12;

export function DeviceList({ filter, onFilter, createButton }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [pages, setPages] = useState<readonly number[]>([0]);
  const { first, total, at } = useDevicePages(filter, pages);
  const siteNames = useSiteNames();
  const liveStatus = useMemo(() => new LiveStatus(), []);
  useLiveStatusVersion(liveStatus);
  const me = useMe();
  useLiveEvents(me === null ? null : { organizationId: me.organizationId }, {
    'device:status': (change) => liveStatus.takeStatus(change),
    'telemetry:new': (frame) => liveStatus.takeFrame(frame, Date.now()),
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: forgets whenever the list was read anew
  useEffect(() => liveStatus.forget(), [first.dataUpdatedAt, liveStatus]);

  const rows = useVirtualizer({
    count: total,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT_PX,
    overscan: OVERSCAN_ROWS,
  });
  const items = rows.getVirtualItems();
  const needed = pagesOf(items[0]?.index ?? 0, items.at(-1)?.index ?? 0);
  const neededKey = needed.join();
  useEffect(() => setPages(neededKey.split(',').map(Number)), [neededKey]);

  const { active, setActive, onKeyDown } = useRowKeys(total, scroller, (row) => rows.scrollToIndex(row), at);
  const filterKey = JSON.stringify(filter);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another filter begins at the top
  useEffect(() => {
    scroller.current?.scrollTo({ top: 0 });
    setActive(0);
  }, [filterKey]);

  return (
    <section className="fl-panel fl-devices" aria-label={t.devices.title}>
      <DeviceFilters filter={filter} onFilter={onFilter} total={first.data?.total} />
      {first.isError && first.data !== undefined && <StaleBar since={first.dataUpdatedAt} />}
      {first.data === undefined ? (
        first.isError ? (
          <ErrorFace error={first.error} onRetry={() => void first.refetch()} />
        ) : (
          <LoadingFace rows={14} />
        )
      ) : total === 0 ? (
        <NoDevices filter={filter} onFilter={onFilter} createButton={createButton} />
      ) : (
        <>
          <ListHead filter={filter} onFilter={onFilter} />
          {/* biome-ignore lint/a11y/useSemanticElements: a table cannot be virtual with absolute rows */}
          <div
            ref={scroller}
            className={`fl-devices-scroll fl-live-data ${first.isError || first.isPlaceholderData ? 'fl-stale' : ''}`}
            role="grid"
            aria-label={t.devices.title}
            aria-rowcount={total}
            aria-activedescendant={`device-row-${active}`}
            tabIndex={0}
            onKeyDown={onKeyDown}
          >
            <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
              {items.map(({ index, start }) => (
                <DeviceRow
                  key={index}
                  row={index}
                  topPx={start}
                  device={at(index)}
                  isActive={index === active}
                  siteNames={siteNames}
                  liveStatus={liveStatus}
                />
              ))}
            </div>
          </div>
        </>
      )}
    </section>
  );
}

function NoDevices({ filter, onFilter, createButton }: Props) {
  if (!isFiltered(filter)) {
    return (
      <EmptyFace icon={Boxes} title={t.devices.empty} hint={t.devices.emptyHint}>
        {createButton}
      </EmptyFace>
    );
  }
  const none = { q: undefined, kind: undefined, status: undefined, site: undefined };
  return (
    <EmptyFace icon={SearchX} title={t.devices.noMatch} hint={t.devices.noMatchHint}>
      <Button variant="default" onClick={() => onFilter(changeFilter(filter, none))}>
        {t.common.clear}
      </Button>
    </EmptyFace>
  );
}

/** The active row and the keys that move it. */
function useRowKeys(
  total: number,
  scroller: RefObject<HTMLDivElement | null>,
  scrollTo: (row: number) => void,
  at: (row: number) => { readonly id: string } | undefined,
) {
  const navigate = useNavigate();
  const [active, setActive] = useState(0);
  useEffect(() => {
    const search = (event: globalThis.KeyboardEvent): void => {
      if (event.key !== '/' || event.target instanceof HTMLInputElement) return;
      event.preventDefault();
      document.querySelector<HTMLInputElement>('#device-search')?.focus();
    };
    window.addEventListener('keydown', search);
    return () => window.removeEventListener('keydown', search);
  }, []);
  const onKeyDown = (event: KeyboardEvent): void => {
    const device = at(active);
    if (event.key === 'Enter' && device !== undefined && event.target === scroller.current) {
      void navigate({ to: '/devices/$deviceId', params: { deviceId: device.id } });
      return;
    }
    const perScreen = Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT_PX);
    const next = rowAfterKey(event.key, active, total, perScreen);
    if (next === null) return;
    event.preventDefault();
    setActive(next);
    scrollTo(next);
  };
  return { active, setActive, onKeyDown };
}
