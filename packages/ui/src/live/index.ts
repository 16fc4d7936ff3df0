/** The one live connection of this page, and hooks for it. */
import type { LiveTarget, ServerEvents } from '@fieldline/contract';
import { useEffect, useRef } from 'react';
import { session } from '../session/index.ts';
import { useStore } from '../store/store.ts';
import { createLiveConnection, type LiveState } from './live-connection.ts';

export const live = createLiveConnection(session);

export function useLiveState(): LiveState {
  return useStore(live.state);
}

/** Hears events of a target while the component is mounted; null = of nothing. Handlers may change with every render. */
export function useLiveEvents(target: LiveTarget | null, handlers: Partial<ServerEvents>): void {
  const current = useRef(handlers);
  current.current = handlers;
  const key = target === null ? '' : JSON.stringify(target);
  const names = Object.keys(handlers).sort().join(' ');
  useEffect(() => {
    if (key === '') return undefined;
    const passing: Record<string, (value: never) => void> = {};
    for (const name of names.split(' ') as (keyof ServerEvents)[]) {
      passing[name] = (value: never) => (current.current[name] as ((value: never) => void) | undefined)?.(value);
    }
    return live.listen(JSON.parse(key) as LiveTarget, passing as Partial<ServerEvents>);
  }, [key, names]);
}
