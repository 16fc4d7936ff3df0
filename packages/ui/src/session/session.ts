/**
 * Who is signed in. The access token lives in memory only; the refresh token is an httpOnly cookie that this code never
 * sees. The token is renewed a minute before it ends. Tabs take turns, because a refresh token is good for one use.
 */
import { type Answer, createClient, ProblemError } from '@fieldline/contract/client';
import { createStore, type Store } from '../store/store.ts';

type Session = Answer<'auth', 'login'>;
export type Me = Session['user'];
export type SessionState =
  | { readonly status: 'unknown' }
  | { readonly status: 'signed-in'; readonly user: Me; readonly accessToken: string; readonly expiresAt: number }
  | { readonly status: 'signed-out'; readonly reason: 'none' | 'expired' | 'left' };

const RENEW_BEFORE_MS = 60_000;
const RENEW_DELAY_MIN_MS = 5_000;
const LOCK_NAME = 'fieldline-session';

export interface SessionKeeper {
  readonly state: Store<SessionState>;
  accessToken(): string | null;
  /** Restores the session from the cookie once; true when somebody is signed in. */
  restore(): Promise<boolean>;
  signIn(email: string, password: string): Promise<void>;
  signOut(): Promise<void>;
  /** A fresh access token, or null where the user must sign in. Rejects where the server does not answer. */
  refresh(): Promise<string | null>;
}

export function createSession(clock: () => number = Date.now): SessionKeeper {
  const state = createStore<SessionState>({ status: 'unknown' });
  const client = createClient({ accessToken });
  let refreshing: Promise<string | null> | null = null;
  let renewal: ReturnType<typeof setTimeout> | undefined;

  function accessToken(): string | null {
    const now = state.get();
    return now.status === 'signed-in' ? now.accessToken : null;
  }

  function enter(session: Session): string {
    const expiresAt = clock() + session.expiresIn * 1000;
    state.set({ status: 'signed-in', user: session.user, accessToken: session.accessToken, expiresAt });
    clearTimeout(renewal);
    const delay = Math.max(RENEW_DELAY_MIN_MS, session.expiresIn * 1000 - RENEW_BEFORE_MS);
    renewal = setTimeout(() => void refresh().catch(() => undefined), delay); // Not reached: the next request tries again.
    return session.accessToken;
  }

  function leave(reason: 'none' | 'expired' | 'left'): void {
    clearTimeout(renewal);
    state.set({ status: 'signed-out', reason });
  }

  function refresh(): Promise<string | null> {
    refreshing ??= inTurn(renew).finally(() => {
      refreshing = null;
    });
    return refreshing;
  }

  async function renew(): Promise<string | null> {
    try {
      return enter(await client.auth.refresh());
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status >= 500 || error.status === 429) throw error;
      leave(state.get().status === 'signed-in' ? 'expired' : 'none');
      return null;
    }
  }

  return {
    state,
    accessToken,
    refresh,
    restore: async () => {
      if (state.get().status === 'unknown') await refresh();
      return state.get().status === 'signed-in';
    },
    signIn: async (email, password) => {
      enter(await client.auth.login({ email, password, refreshTransport: 'cookie' }));
    },
    signOut: async () => {
      await client.auth.logout().catch(() => undefined); // Signed out here in any case; the server ends it by time.
      leave('left');
    },
  };
}

/** Runs the work while no other tab of this browser does; without Web Locks (plain HTTP) it runs at once. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const locks = (globalThis.navigator as Navigator | undefined)?.locks;
  return locks === undefined ? work() : (locks.request(LOCK_NAME, work) as Promise<T>);
}
