/** All devices. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import { t } from '../i18n/index.ts';
import { CreateDevice } from '../panels/create-device/index.tsx';
import { DeviceList } from '../panels/device-list/index.tsx';
import { useMay } from '../session/index.ts';
import { Page } from '../shell/Page.tsx';

export function DevicesPage() {
  const filter = useSearch({ from: '/app/devices' });
  const navigate = useNavigate();
  const create = useMay('devices:write') ? <CreateDevice /> : null;
  return (
    <Page title={t.devices.title} tools={create}>
      <DeviceList
        filter={filter}
        onFilter={(next) => void navigate({ to: '/devices', search: next, replace: true })}
        createButton={create}
      />
    </Page>
  );
}
