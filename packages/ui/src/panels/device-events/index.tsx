/** What happened to a device: connections, disconnections, refusals. */
export { DeviceEvents } from './Panel.tsx';
