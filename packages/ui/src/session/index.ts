/** The one session of this page, and how components ask about it. */
import { type Store, useStore } from '../store/store.ts';
import { createSession, type Me, type SessionState } from './session.ts';

export const session = createSession();

/** The signed-in user; pages inside the shell always have one. */
export function useMe(): Me | null {
  const state = useStore<SessionState>(session.state as Store<SessionState>);
  return state.status === 'signed-in' ? state.user : null;
}

/** Whether the user may; the server asks the same question. */
export function useMay(permission: Me['permissions'][number]): boolean {
  return useMe()?.permissions.includes(permission) ?? false;
}
