/** Live chart of a device. */
export { LiveChart } from './Panel.tsx';
