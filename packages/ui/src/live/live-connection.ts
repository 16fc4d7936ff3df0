/**
 * The one Socket.IO connection of this page: says hello with the session's token, subscribes again after every reconnect,
 * changes its token in time. Targets are counted, so that panels subscribe without knowing of each other.
 */
import type { ClientEvents, LiveTarget, ServerEvents } from '@fieldline/contract';
import { io, type Socket } from 'socket.io-client';
import type { SessionKeeper } from '../session/session.ts';
import { createStore, type Store } from '../store/store.ts';

export interface LiveState {
  readonly status: 'connecting' | 'live' | 'lost';
  /** When it came to be so; milliseconds since 1970. */
  readonly since: number;
}
type Handlers = Partial<ServerEvents>;

const LIVE_PATH: typeof import('@fieldline/contract').LIVE_PATH = '/live';
const RECONNECT_DELAY_MAX_MS = 5_000;

export interface LiveConnection {
  readonly state: Pick<Store<LiveState>, 'get' | 'subscribe'>;
  start(): void;
  stop(): void;
  /** Hears about a target until the returned function is called. */
  listen(target: LiveTarget, handlers: Handlers): () => void;
}

export function createLiveConnection(session: SessionKeeper): LiveConnection {
  const state = createStore<LiveState>({ status: 'connecting', since: Date.now() });
  const targets = new Map<string, { target: LiveTarget; listeners: number }>();
  let socket: Socket<ServerEvents, ClientEvents> | null = null;
  const pending = new Set<Handlers>();

  const become = (status: LiveState['status']): void => {
    if (state.get().status !== status) state.set({ status, since: Date.now() });
  };

  function start(): void {
    if (socket !== null) return;
    become('connecting');
    const opened: Socket<ServerEvents, ClientEvents> = io({
      path: LIVE_PATH,
      transports: ['websocket', 'polling'],
      auth: (answer) => answer({ token: session.accessToken() }),
      reconnectionDelay: 500,
      reconnectionDelayMax: RECONNECT_DELAY_MAX_MS,
    });
    socket = opened;
    for (const handlers of pending) attach(handlers);
    opened.on('connect', () => {
      become('live');
      for (const { target } of targets.values()) opened.emit('subscribe', target, () => undefined);
    });
    opened.on('disconnect', (reason) => {
      become('lost');
      if (reason === 'io server disconnect') void comeBack(opened); // Socket.IO does not reconnect by itself then.
    });
    opened.on('connect_error', () => {
      become('lost');
      if (!opened.active) void comeBack(opened);
    });
  }

  /** The server has sent us away: with a fresh token we may come again. */
  async function comeBack(opened: Socket<ServerEvents, ClientEvents>): Promise<void> {
    const token = await session.refresh().catch(() => undefined);
    if (token === null || opened !== socket) return;
    setTimeout(() => opened === socket && opened.connect(), token === undefined ? RECONNECT_DELAY_MAX_MS : 250);
  }

  session.state.subscribe(() => {
    const token = session.accessToken();
    if (token !== null && socket?.connected === true) socket.emit('authenticate', token, () => undefined);
  });

  function attach(handlers: Handlers): void {
    for (const [event, handler] of Object.entries(handlers)) socket?.on(event as keyof ServerEvents, handler as never);
  }

  return {
    state,
    start,
    stop: () => {
      socket?.disconnect();
      socket = null;
    },
    listen: (target, handlers) => {
      const key = JSON.stringify(target);
      const entry = targets.get(key) ?? { target, listeners: 0 };
      targets.set(key, entry);
      entry.listeners += 1;
      pending.add(handlers);
      attach(handlers);
      if (entry.listeners === 1 && socket?.connected === true) socket.emit('subscribe', target, () => undefined);
      return () => {
        pending.delete(handlers);
        for (const [event, handler] of Object.entries(handlers))
          socket?.off(event as keyof ServerEvents, handler as never);
        entry.listeners -= 1;
        if (entry.listeners > 0) return;
        targets.delete(key);
        if (socket?.connected === true) socket.emit('unsubscribe', target, () => undefined);
      };
    },
  };
}
