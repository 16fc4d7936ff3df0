/** Draws the dialog of a new device. It closes after the token only when the user says so. */
import { Button, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { Plus } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { sayError } from '../../api/client.ts';
import { useSites } from '../../api/use-sites.ts';
import type { DeviceKind } from '../../faces/KindIcon.tsx';
import { TokenOnce } from '../../faces/TokenOnce.tsx';
import { t } from '../../i18n/index.ts';
import { ConnectLines } from '../connect-device/index.tsx';
import { KINDS } from '../device-list/panel-state.ts';
import { bodyOf, type DeviceForm, EMPTY_FORM, isComplete, isKeyGood } from './panel-state.ts';
import { useCreateDevice } from './use-create-device.ts';

export function CreateDevice() {
  const [isOpen, setOpen] = useState(false);
  const [form, setForm] = useState<DeviceForm>(EMPTY_FORM);
  const { data: sites } = useSites();
  const create = useCreateDevice();
  const navigate = useNavigate();
  const made = create.data;
  const change = (part: Partial<DeviceForm>): void => setForm({ ...form, ...part });
  const close = (): void => {
    setOpen(false);
    setForm(EMPTY_FORM);
    create.reset();
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (isComplete(form)) create.mutate(bodyOf(form));
  };
  return (
    <>
      <Button leftSection={<Plus size={15} />} onClick={() => setOpen(true)}>
        {t.devices.create}
      </Button>
      <Modal
        opened={isOpen}
        onClose={close}
        size={made === undefined ? 'md' : 'xl'}
        title={
          <strong>{made === undefined ? t.createDevice.title : t.createDevice.doneTitle(made.device.name)}</strong>
        }
        closeOnClickOutside={made === undefined}
        closeOnEscape={made === undefined}
      >
        {made === undefined ? (
          <form onSubmit={submit}>
            <Stack gap="sm">
              <TextInput
                label={t.createDevice.name}
                description={t.createDevice.nameHint}
                data-autofocus
                required
                withAsterisk={false}
                maxLength={200}
                value={form.name}
                onChange={(event) => change({ name: event.currentTarget.value })}
              />
              <TextInput
                label={t.createDevice.key}
                description={t.createDevice.keyHint}
                maxLength={128}
                error={isKeyGood(form.key.trim()) ? null : t.createDevice.keyWrong}
                value={form.key}
                onChange={(event) => change({ key: event.currentTarget.value })}
              />
              <Group grow align="start">
                <Select
                  label={t.createDevice.kind}
                  allowDeselect={false}
                  value={form.kind}
                  onChange={(kind) => change({ kind: (kind ?? 'machine') as DeviceKind })}
                  data={KINDS.map((kind) => ({ value: kind, label: t.devices.kinds[kind] }))}
                />
                <Select
                  label={t.createDevice.site}
                  placeholder={t.devices.noSite}
                  clearable
                  searchable
                  value={form.siteId}
                  onChange={(siteId) => change({ siteId })}
                  data={(sites?.items ?? []).map((site) => ({ value: site.id, label: site.name }))}
                />
              </Group>
              <TextInput
                label={t.createDevice.serial}
                maxLength={200}
                value={form.serialNumber}
                onChange={(event) => change({ serialNumber: event.currentTarget.value })}
                error={create.isError ? sayError(create.error) : null}
              />
              <Group justify="flex-end" mt={8}>
                <Button variant="default" onClick={close}>
                  {t.common.cancel}
                </Button>
                <Button type="submit" loading={create.isPending} disabled={!isComplete(form)}>
                  {t.createDevice.submit}
                </Button>
              </Group>
            </Stack>
          </form>
        ) : (
          <Stack gap="md">
            <TokenOnce token={made.token} />
            <ConnectLines connect={made.connect} token={made.token} />
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                {t.token.closing}
              </Button>
              <Button
                onClick={() => {
                  const { id } = made.device;
                  close();
                  void navigate({ to: '/devices/$deviceId', params: { deviceId: id } });
                }}
              >
                {t.createDevice.open}
              </Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </>
  );
}
