/**
 * Socket.IO at /live: the handshake with an access token, and the hub behind it.
 */
import type { Server as HttpServer } from 'node:http';
import { LIVE_PATH } from '@fieldline/contract';
import { Server } from 'socket.io';
import type { ApiContext } from '../handlers.ts';
import { LiveHub, type LiveServer } from './hub.ts';

const MESSAGE_BYTES_MAX = 16 * 1024;

/** Attaches the live server; close() ends all connections with SERVER_STOPPING. */
export function createLive(httpServer: HttpServer, context: ApiContext): { close(): void } {
  const io: LiveServer = new Server(httpServer, {
    path: LIVE_PATH,
    transports: ['websocket'],
    serveClient: false,
    maxHttpBufferSize: MESSAGE_BYTES_MAX,
  });
  const hub = new LiveHub(io, context);
  io.use(async (socket, next) => {
    try {
      const { token } = socket.handshake.auth as { token?: unknown };
      socket.data.principal = await context.tokens.verify(typeof token === 'string' ? token : '');
      if (hub.clientCount >= context.settings.liveClientsMax) return next(refusal('OVERLOADED'));
      next();
    } catch {
      // Why a token is not valid is nobody's business before log-in.
      next(refusal('UNAUTHENTICATED'));
    }
  });
  io.on('connection', (socket) => hub.welcome(socket));
  return hub;
}

function refusal(code: string): Error {
  return Object.assign(new Error(code), { data: { code } });
}
