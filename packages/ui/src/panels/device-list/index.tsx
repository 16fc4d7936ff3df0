/** The list of devices: search, filters, thousands of rows. */
export { DeviceList } from './Panel.tsx';
