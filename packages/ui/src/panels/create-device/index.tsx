/** Creating a device: form, then its token (once) and ready-made lines. */
export { CreateDevice } from './Panel.tsx';
