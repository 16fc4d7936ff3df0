/** The quiet tabs of a device: how it connects, what happened to it, its settings. */
import { useParams } from '@tanstack/react-router';
import { useDevice } from '../api/use-device.ts';
import { ConnectDevice } from '../panels/connect-device/index.tsx';
import { DeviceEvents } from '../panels/device-events/index.tsx';
import { DeviceSettings } from '../panels/device-settings/index.tsx';

function useThisDevice() {
  const { deviceId } = useParams({ from: '/app/devices/$deviceId' });
  return useDevice(deviceId).data;
}

export function DeviceConnectTab() {
  const device = useThisDevice();
  return device === undefined ? null : <ConnectDevice deviceId={device.id} />;
}

export function DeviceEventsTab() {
  const device = useThisDevice();
  return device === undefined ? null : <DeviceEvents deviceId={device.id} />;
}

export function DeviceSettingsTab() {
  const device = useThisDevice();
  return device === undefined ? null : <DeviceSettings device={device} />;
}
