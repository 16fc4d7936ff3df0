/** Draws the settings of a device: three blocks, the dangerous one last. */

import type { Answer } from '@fieldline/contract/client';
import { Button, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useEffect, useState } from 'react';
import { useSites } from '../../api/use-sites.ts';
import type { DeviceKind } from '../../faces/KindIcon.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { TokenOnce } from '../../faces/TokenOnce.tsx';
import { toastDone } from '../../faces/toast.ts';
import { t } from '../../i18n/index.ts';
import { useMay } from '../../session/index.ts';
import { ConnectLines } from '../connect-device/index.tsx';
import { KINDS } from '../device-list/panel-state.ts';
import { useDeleteDevice, usePatchDevice, useRevokeToken, useRotateToken } from './use-device-changes.ts';

type Device = Answer<'devices', 'get'>;

export function DeviceSettings({ device }: { readonly device: Device }) {
  const mayWrite = useMay('devices:write');
  const maySecrets = useMay('devices:secrets');
  return (
    <Stack gap="md" maw={760}>
      <General device={device} disabled={!mayWrite} />
      {maySecrets && <Token device={device} />}
      {mayWrite && <Danger device={device} />}
    </Stack>
  );
}

function General({ device, disabled }: { readonly device: Device; readonly disabled: boolean }) {
  const { data: sites } = useSites();
  const patch = usePatchDevice(device.id);
  const [form, setForm] = useState(fieldsOf(device));
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another version of the device replaces what is typed
  useEffect(() => setForm(fieldsOf(device)), [device.id, device.version]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const serialNumber = form.serialNumber.trim();
    patch.mutate({
      ...form,
      name: form.name.trim(),
      serialNumber: serialNumber === '' ? null : serialNumber,
      version: device.version,
    });
  };
  const changed = JSON.stringify(form) !== JSON.stringify(fieldsOf(device));
  return (
    <Panel title={t.deviceSettings.general} padded>
      <form onSubmit={submit}>
        <Stack gap="sm">
          <Group grow align="start">
            <TextInput
              label={t.devices.name}
              required
              withAsterisk={false}
              maxLength={200}
              disabled={disabled}
              value={form.name}
              onChange={(event) => setForm({ ...form, name: event.currentTarget.value })}
            />
            <Select
              label={t.devices.kind}
              allowDeselect={false}
              disabled={disabled}
              value={form.kind}
              onChange={(kind) => setForm({ ...form, kind: (kind ?? form.kind) as DeviceKind })}
              data={KINDS.map((kind) => ({ value: kind, label: t.devices.kinds[kind] }))}
            />
          </Group>
          <Group grow align="start">
            <Select
              label={t.devices.site}
              placeholder={t.devices.noSite}
              clearable
              searchable
              disabled={disabled}
              value={form.siteId}
              onChange={(siteId) => setForm({ ...form, siteId })}
              data={(sites?.items ?? []).map((site) => ({ value: site.id, label: site.name }))}
            />
            <TextInput
              label={t.createDevice.serial}
              maxLength={200}
              disabled={disabled}
              value={form.serialNumber}
              onChange={(event) => setForm({ ...form, serialNumber: event.currentTarget.value })}
            />
          </Group>
          <Group justify="space-between">
            <span className="fl-faint fl-mono" style={{ fontSize: '0.75rem' }}>
              {t.deviceSettings.id} {device.id}
            </span>
            <Button type="submit" disabled={disabled || !changed || form.name.trim() === ''} loading={patch.isPending}>
              {t.common.save}
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}

function fieldsOf(device: Device) {
  return { name: device.name, kind: device.kind, siteId: device.siteId, serialNumber: device.serialNumber ?? '' };
}

function Token({ device }: { readonly device: Device }) {
  const rotate = useRotateToken(device.id);
  const revoke = useRevokeToken(device.id);
  const [isAsking, setAsking] = useState(false);
  const close = (): void => {
    setAsking(false);
    rotate.reset();
  };
  return (
    <Panel title={t.deviceSettings.tokenTitle} padded>
      <Group justify="space-between" wrap="nowrap" gap="xl">
        <span className="fl-soft" style={{ fontSize: '0.8125rem', lineHeight: 1.5 }}>
          {device.hasToken ? t.deviceSettings.tokenHas : t.deviceSettings.tokenNone}
        </span>
        <Group wrap="nowrap" gap="xs">
          {device.hasToken && (
            <Button variant="default" loading={revoke.isPending} onClick={() => revoke.mutate()}>
              {t.deviceSettings.revoke}
            </Button>
          )}
          <Button variant="default" onClick={() => setAsking(true)}>
            {t.deviceSettings.rotate}
          </Button>
        </Group>
      </Group>
      <Modal
        opened={isAsking}
        onClose={close}
        title={<strong>{t.deviceSettings.rotate}</strong>}
        size={rotate.data === undefined ? 'md' : 'xl'}
        closeOnClickOutside={rotate.data === undefined}
      >
        {rotate.data === undefined ? (
          <Stack>
            <span>{t.deviceSettings.rotateConfirm}</span>
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                {t.common.cancel}
              </Button>
              <Button color="red" loading={rotate.isPending} onClick={() => rotate.mutate()}>
                {t.deviceSettings.rotate}
              </Button>
            </Group>
          </Stack>
        ) : (
          <Stack>
            <TokenOnce token={rotate.data.token} />
            <ConnectLines connect={rotate.data.connect} token={rotate.data.token} />
            <Group justify="flex-end">
              <Button onClick={close}>{t.token.closing}</Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </Panel>
  );
}

function Danger({ device }: { readonly device: Device }) {
  const navigate = useNavigate();
  const [isAsking, setAsking] = useState(false);
  const [typed, setTyped] = useState('');
  const remove = useDeleteDevice(device.id, () => {
    toastDone(t.deviceSettings.deleted(device.name));
    void navigate({ to: '/devices' });
  });
  return (
    <Panel title={t.deviceSettings.danger} padded>
      <Group justify="space-between" wrap="nowrap" gap="xl">
        <span className="fl-soft" style={{ fontSize: '0.8125rem', lineHeight: 1.5 }}>
          {t.deviceSettings.dangerText}
        </span>
        <Button variant="light" color="red" style={{ flex: 'none' }} onClick={() => setAsking(true)}>
          {t.deviceSettings.delete}
        </Button>
      </Group>
      <Modal opened={isAsking} onClose={() => setAsking(false)} title={<strong>{t.deviceSettings.delete}</strong>}>
        <Stack>
          <TextInput
            label={t.deviceSettings.deleteConfirm(device.name)}
            data-autofocus
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsking(false)}>
              {t.common.cancel}
            </Button>
            <Button
              color="red"
              disabled={typed.trim() !== device.name.trim()}
              loading={remove.isPending}
              onClick={() => remove.mutate()}
            >
              {t.deviceSettings.delete}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Panel>
  );
}
