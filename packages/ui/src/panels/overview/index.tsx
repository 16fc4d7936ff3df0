/** Panels of the start page: how many devices are there, what happened last, who is silent. */
export { FleetStat } from './FleetStat.tsx';
export { RecentEvents } from './RecentEvents.tsx';
export { SilentDevices } from './SilentDevices.tsx';
