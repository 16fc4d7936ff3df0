/** Draws the dead letters: the list at the left, the letter that is looked at beside it. */
import { Button, Checkbox, TextInput } from '@mantine/core';
import { MailCheck, RotateCcw, SearchX } from 'lucide-react';
import { useState } from 'react';
import { EmptyFace } from '../../faces/Face.tsx';
import { Faces } from '../../faces/Faces.tsx';
import { Time } from '../../faces/Time.tsx';
import { formatBytes } from '../../format/number.ts';
import { t } from '../../i18n/index.ts';
import { useMay } from '../../session/index.ts';
import { Letter } from './Letter.tsx';
import type { DeadLetterSearch } from './panel-state.ts';
import { useDeadLetters, useReplay } from './use-dead-letters.ts';
import './dead-letters.css';

interface Props {
  readonly search: DeadLetterSearch;
  readonly onSearch: (search: DeadLetterSearch) => void;
}

type ListItem = NonNullable<ReturnType<typeof useDeadLetters>['data']>['pages'][number]['items'][number];

export function DeadLetters({ search, onSearch }: Props) {
  const letters = useDeadLetters(search);
  const replay = useReplay();
  const mayReplay = useMay('dead-letters:replay');
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const items = letters.data?.pages.flatMap((page) => page.items) ?? [];
  const open = (letter: string): void => onSearch({ ...search, letter });
  const filtered = search.code !== undefined || search.device !== undefined;
  return (
    <div className="fl-letters" data-open={search.letter !== undefined}>
      <section className="fl-panel" aria-label={t.deadLetters.title}>
        <div className="fl-letters-filters">
          <FilterBox
            label={t.deadLetters.code}
            value={search.code}
            onChange={({ value }) => onSearch(without({ ...search, code: value }))}
          />
          <FilterBox
            label={t.deadLetters.device}
            value={search.device}
            onChange={({ value }) => onSearch(without({ ...search, device: value }))}
          />
          {mayReplay && (
            <Button
              ml="auto"
              leftSection={<RotateCcw size={14} />}
              disabled={picked.size === 0}
              loading={replay.isPending}
              onClick={() => replay.mutate({ ids: [...picked] }, { onSuccess: () => setPicked(new Set()) })}
            >
              {picked.size === 0 ? t.deadLetters.replay : t.deadLetters.replayMany(picked.size)}
            </Button>
          )}
        </div>
        <Faces query={{ ...letters, data: letters.data }} rows={10}>
          {() =>
            items.length === 0 ? (
              <EmptyFace
                icon={filtered ? SearchX : MailCheck}
                title={filtered ? t.deadLetters.noMatch : t.deadLetters.empty}
                hint={filtered ? t.devices.noMatchHint : t.deadLetters.emptyHint}
              />
            ) : (
              <div className="fl-letters-list">
                <table className="fl-table">
                  <thead>
                    <tr>
                      {mayReplay && (
                        <th style={{ width: 16 }}>
                          <Checkbox
                            size="xs"
                            aria-label={t.deadLetters.selectAll}
                            checked={picked.size > 0 && picked.size === items.length}
                            indeterminate={picked.size > 0 && picked.size < items.length}
                            onChange={(event) =>
                              setPicked(new Set(event.currentTarget.checked ? items.map((item) => item.id) : []))
                            }
                          />
                        </th>
                      )}
                      <th>{t.deadLetters.reason}</th>
                      <th>{t.deadLetters.device}</th>
                      <th className="fl-letters-wide">{t.deadLetters.size}</th>
                      <th className="fl-right">{t.deadLetters.received}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map((item) => (
                      <Row
                        key={item.id}
                        item={item}
                        isOpen={item.id === search.letter}
                        onOpen={() => open(item.id)}
                        picked={mayReplay ? picked.has(item.id) : null}
                        onPick={() => setPicked(toggled(picked, item.id))}
                      />
                    ))}
                  </tbody>
                </table>
                {letters.hasNextPage && (
                  <div style={{ padding: 12, textAlign: 'center' }}>
                    <Button
                      variant="default"
                      loading={letters.isFetchingNextPage}
                      onClick={() => void letters.fetchNextPage()}
                    >
                      {t.common.loadMore}
                    </Button>
                  </div>
                )}
              </div>
            )
          }
        </Faces>
      </section>
      <Letter
        id={search.letter}
        onReplay={mayReplay ? (id) => replay.mutate({ ids: [id] }) : null}
        isReplaying={replay.isPending}
        onClose={() => onSearch(without({ ...search, letter: undefined }))}
      />
    </div>
  );
}

interface RowProps {
  readonly item: ListItem;
  readonly isOpen: boolean;
  readonly onOpen: () => void;
  /** null = cannot be picked. */
  readonly picked: boolean | null;
  readonly onPick: () => void;
}

function Row({ item, isOpen, onOpen, picked, onPick }: RowProps) {
  return (
    <tr data-open={isOpen} className="fl-letter-row">
      {picked !== null && (
        <td>
          <Checkbox size="xs" aria-label={t.deadLetters.select(item.id)} checked={picked} onChange={onPick} />
        </td>
      )}
      <td className="fl-letter-reason">
        <button type="button" onClick={onOpen} aria-pressed={isOpen}>
          <span className="fl-mono fl-letter-code">{item.code}</span>
          <span className="fl-soft">{item.message}</span>
        </button>
      </td>
      <td className="fl-cut fl-mono" style={{ maxWidth: 150 }} title={item.deviceId}>
        {item.deviceId}
      </td>
      <td className="fl-soft fl-letters-wide">{formatBytes(item.byteLength)}</td>
      <td className="fl-right fl-soft">
        {item.replayedAt === null ? (
          <Time at={item.receivedTime} />
        ) : (
          <span className="fl-tag" data-tone="good">
            {t.deadLetters.replayedAt}
          </span>
        )}
      </td>
    </tr>
  );
}

interface FilterBoxProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly onChange: (change: { value: string | undefined }) => void;
}

function FilterBox({ label, value, onChange }: FilterBoxProps) {
  return (
    <TextInput
      size="xs"
      w={200}
      aria-label={label}
      placeholder={label}
      key={value ?? ''}
      defaultValue={value ?? ''}
      onKeyDown={(event) => event.key === 'Enter' && event.currentTarget.blur()}
      onBlur={(event) => {
        const text = event.currentTarget.value.trim();
        if (text !== (value ?? '')) onChange({ value: text === '' ? undefined : text });
      }}
    />
  );
}

function toggled(set: ReadonlySet<string>, item: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(item)) next.add(item);
  return next;
}

function without(search: { [K in keyof DeadLetterSearch]: DeadLetterSearch[K] | undefined }): DeadLetterSearch {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined));
}
