/** History of a device's metrics with zoom and pan. */
export { HistoryChart } from './Panel.tsx';
