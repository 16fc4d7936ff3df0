/** The dialog of a new API key; the key is shown once. */
import { Button, Checkbox, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { Plus } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { sayError } from '../../api/client.ts';
import { TokenOnce } from '../../faces/TokenOnce.tsx';
import { t } from '../../i18n/index.ts';
import { expiryAfter, LIFETIMES_DAYS, SCOPES, type Scope } from './panel-state.ts';
import { useCreateApiKey } from './use-api-keys.ts';

const words = t.settings.apiKeys;

export function CreateApiKey() {
  const [isOpen, setOpen] = useState(false);
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<readonly Scope[]>(['ingest']);
  const [days, setDays] = useState<number | null>(null);
  const create = useCreateApiKey();
  const made = create.data;
  const close = (): void => {
    setOpen(false);
    setName('');
    setScopes(['ingest']);
    setDays(null);
    create.reset();
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    create.mutate({ name: name.trim(), scopes: [...scopes], expiresAt: expiryAfter(days, Date.now()) });
  };
  return (
    <>
      <Button leftSection={<Plus size={15} />} onClick={() => setOpen(true)}>
        {words.create}
      </Button>
      <Modal
        opened={isOpen}
        onClose={close}
        title={<strong>{made === undefined ? words.create : words.doneTitle(made.apiKey.name)}</strong>}
        closeOnClickOutside={made === undefined}
      >
        {made === undefined ? (
          <form onSubmit={submit}>
            <Stack gap="sm">
              <TextInput
                label={words.name}
                description={words.nameHint}
                data-autofocus
                required
                withAsterisk={false}
                maxLength={200}
                value={name}
                onChange={(event) => setName(event.currentTarget.value)}
                error={create.isError ? sayError(create.error) : null}
              />
              <Checkbox.Group label={words.scopes} value={[...scopes]} onChange={(next) => setScopes(next as Scope[])}>
                <Stack gap={6} mt={6}>
                  {SCOPES.map((scope) => (
                    <Checkbox key={scope} size="xs" value={scope} label={words.scopeNames[scope]} />
                  ))}
                </Stack>
              </Checkbox.Group>
              <Select
                label={words.expires}
                allowDeselect={false}
                value={String(days ?? '')}
                onChange={(value) => setDays(value === null || value === '' ? null : Number(value))}
                data={[
                  { value: '', label: words.expiresNever },
                  ...LIFETIMES_DAYS.map((count) => ({ value: String(count), label: words.expiresDays(count) })),
                ]}
              />
              <Group justify="flex-end" mt={8}>
                <Button variant="default" onClick={close}>
                  {t.common.cancel}
                </Button>
                <Button type="submit" loading={create.isPending} disabled={name.trim() === '' || scopes.length === 0}>
                  {words.submit}
                </Button>
              </Group>
            </Stack>
          </form>
        ) : (
          <Stack>
            <TokenOnce token={made.key} note={words.once} label={words.prefix} />
            <Group justify="flex-end">
              <Button onClick={close}>{t.common.close}</Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </>
  );
}
