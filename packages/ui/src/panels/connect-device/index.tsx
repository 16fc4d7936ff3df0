/** How a device connects: addresses, and lines to copy. */

export { ConnectLines } from './Lines.tsx';
export { ConnectDevice } from './Panel.tsx';
