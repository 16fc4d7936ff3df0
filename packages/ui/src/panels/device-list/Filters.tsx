/** Search and filters of the device list. What is typed goes into the address after a short rest. */
import { SegmentedControl, Select, TextInput } from '@mantine/core';
import { Search } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useSites } from '../../api/use-sites.ts';
import { formatCount } from '../../format/number.ts';
import { t } from '../../i18n/index.ts';
import { changeFilter, type DeviceFilter, KINDS, STATUSES } from './panel-state.ts';

interface Props {
  readonly filter: DeviceFilter;
  readonly onFilter: (filter: DeviceFilter) => void;
  readonly total: number | undefined;
}

const TYPING_REST_MS = 220;

export function DeviceFilters({ filter, onFilter, total }: Props) {
  const { data: sites } = useSites();
  return (
    <div className="fl-device-filters">
      <SearchBox
        value={filter.q ?? ''}
        onChange={(q) => onFilter(changeFilter(filter, { q: q === '' ? undefined : q }))}
      />
      <SegmentedControl
        size="xs"
        aria-label={t.devices.status}
        value={filter.status ?? ''}
        onChange={(value) => onFilter(changeFilter(filter, { status: STATUSES.find((status) => status === value) }))}
        data={[
          { value: '', label: t.common.all },
          ...STATUSES.map((status) => ({ value: status, label: t.devices.statuses[status] })),
        ]}
      />
      <Select
        size="xs"
        w={130}
        aria-label={t.devices.kind}
        placeholder={t.devices.kind}
        clearable
        value={filter.kind ?? null}
        onChange={(value) => onFilter(changeFilter(filter, { kind: KINDS.find((kind) => kind === value) }))}
        data={KINDS.map((kind) => ({ value: kind, label: t.devices.kinds[kind] }))}
      />
      <Select
        size="xs"
        w={170}
        aria-label={t.devices.site}
        placeholder={t.devices.site}
        clearable
        searchable
        value={filter.site ?? null}
        onChange={(value) => onFilter(changeFilter(filter, { site: value ?? undefined }))}
        data={(sites?.items ?? []).map((site) => ({ value: site.id, label: site.name }))}
      />
      <span className="fl-device-count fl-number" aria-live="polite">
        {total === undefined ? '' : t.devices.count(formatCount(total))}
      </span>
    </div>
  );
}

function SearchBox({ value, onChange }: { readonly value: string; readonly onChange: (value: string) => void }) {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const sent = useRef(value);
  useEffect(() => {
    if (value === sent.current) return;
    sent.current = value;
    setText(value); // The address changed by another way: back button, cleared filters.
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <TextInput
      id="device-search"
      size="xs"
      w={280}
      type="search"
      aria-label={t.common.search}
      placeholder={t.devices.searchPlaceholder}
      title={t.devices.keyboardHint}
      leftSection={<Search size={14} />}
      value={text}
      onChange={(event) => {
        const next = event.currentTarget.value;
        setText(next);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => {
          sent.current = next.trim();
          onChange(next.trim());
        }, TYPING_REST_MS);
      }}
    />
  );
}
