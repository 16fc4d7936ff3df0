/** The newest value of each metric of a device. */
export { LatestValues } from './Panel.tsx';
