/** The page's clock: one timer for all ages on the page, stopped while nobody looks. */
import { createStore, useStore } from '../store/store.ts';

const TICK_MS = 1000;
const ticks = createStore(Date.now());
let listeners = 0;
let timer: ReturnType<typeof setInterval> | undefined;

const clock = {
  get: ticks.get,
  subscribe: (listener: () => void): (() => void) => {
    listeners += 1;
    timer ??= setInterval(() => ticks.set(Date.now()), TICK_MS);
    const leave = ticks.subscribe(listener);
    return () => {
      leave();
      listeners -= 1;
      if (listeners > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  },
};

/** Now, in milliseconds since 1970; renders again every second. */
export function useNow(): number {
  return useStore(clock);
}
