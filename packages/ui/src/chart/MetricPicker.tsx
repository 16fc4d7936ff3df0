/** Which metrics a chart shows: a list with a search, up to a limit. */
import { Button, Checkbox, Popover, ScrollArea, TextInput } from '@mantine/core';
import { ListFilter, Search } from 'lucide-react';
import { useState } from 'react';
import { displayUnit } from '../format/unit.ts';
import { t } from '../i18n/index.ts';

interface Props {
  readonly all: readonly { readonly metricKey: string; readonly unit: string }[];
  readonly chosen: readonly string[];
  readonly max: number;
  readonly onChange: (metrics: readonly string[]) => void;
}

export function MetricPicker({ all, chosen, max, onChange }: Props) {
  const [search, setSearch] = useState('');
  const wanted = search.trim().toLowerCase();
  const shown = all.filter((metric) => metric.metricKey.toLowerCase().includes(wanted));
  const toggle = (metricKey: string): void => {
    const next = new Set(chosen);
    if (!next.delete(metricKey)) next.add(metricKey);
    onChange(all.map((metric) => metric.metricKey).filter((key) => next.has(key)));
  };
  return (
    <Popover position="bottom-end" shadow="md" width={300} trapFocus>
      <Popover.Target>
        <Button variant="default" leftSection={<ListFilter size={14} />}>
          {t.live.metricsCount(chosen.length, all.length)}
        </Button>
      </Popover.Target>
      <Popover.Dropdown p={8}>
        <TextInput
          size="xs"
          aria-label={t.live.searchMetric}
          placeholder={t.live.searchMetric}
          leftSection={<Search size={14} />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        <ScrollArea.Autosize mah={320} mt={8} type="auto">
          <div style={{ display: 'grid', gap: 2 }}>
            {shown.map(({ metricKey, unit }) => {
              const checked = chosen.includes(metricKey);
              return (
                <Checkbox
                  key={metricKey}
                  size="xs"
                  p={5}
                  label={unit === '' ? metricKey : `${metricKey} (${displayUnit(unit)})`}
                  checked={checked}
                  disabled={!checked && chosen.length >= max}
                  onChange={() => toggle(metricKey)}
                />
              );
            })}
          </div>
        </ScrollArea.Autosize>
        {chosen.length >= max && <div className="fl-faint">{t.live.limit(max)}</div>}
      </Popover.Dropdown>
    </Popover>
  );
}
