/** Settings of a device: name, kind, site; token; deletion. */
export { DeviceSettings } from './Panel.tsx';
