/**
 * One client of /live: who it is, its rooms, and what waits for it while its connection is full. Its session is
 * ended when the token ends (a fresh one may come before), or at once when the session is revoked.
 */
import type { ClientEvents, LiveAck, ServerEvents, SessionEnded, TelemetryNew } from '@fieldline/contract';
import { FieldlineError, isFieldlineError } from '@fieldline/kit';
import type { Socket } from 'socket.io';
import type { ApiContext } from '../handlers.ts';
import type { UserPrincipal } from '../principal.ts';
import { Backlog } from './backlog.ts';
import type { ConnectionWatch } from './connection-watch.ts';
import type { RoomCounts } from './rooms.ts';
import { roomsOf } from './subscriptions.ts';
import type { Watches } from './watches.ts';

export type LiveSocket = Socket<ClientEvents, ServerEvents, Record<string, never>, { principal: UserPrincipal }>;

/** Questions a client may ask at once and in a row; more ends the connection. */
const MESSAGES_PER_SECOND_MAX = 50;

export class LiveClient {
  readonly socket: LiveSocket;
  readonly #context: ApiContext;
  readonly #counts: RoomCounts;
  readonly #interestChanged: () => void;
  /** With the question that led to each. */
  readonly #rooms = new Map<string, unknown>();
  readonly #watch: ConnectionWatch | undefined;
  readonly #backlog: Backlog;
  #expiry: NodeJS.Timeout;
  #messages = 0;
  #messagesSecond = 0;

  constructor(
    socket: LiveSocket,
    context: ApiContext,
    counts: RoomCounts,
    watches: Watches,
    interestChanged: () => void,
  ) {
    this.socket = socket;
    this.#context = context;
    this.#counts = counts;
    this.#interestChanged = interestChanged;
    this.#backlog = new Backlog(watches.backlog);
    this.#watch = watches.of(socket.conn);
    if (this.#watch !== undefined) this.#watch.onRoom = () => this.settle();
    this.#expiry = this.#expireAt(socket.data.principal.expiresAtMs);
    socket.use((_packet, next) => (this.#tooMany() ? socket.disconnect(true) : next()));
    socket.on('subscribe', (target, ack) => this.#answer(ack, () => this.#subscribe(target)));
    socket.on('unsubscribe', (target, ack) => this.#answer(ack, () => this.#unsubscribe(target)));
    socket.on('authenticate', (token, ack) => this.#answer(ack, () => this.#authenticate(token)));
    socket.on('disconnect', () => this.#left());
  }

  get principal(): UserPrincipal {
    return this.socket.data.principal;
  }

  /** Nothing may be written now: either the connection is full, or something older waits. */
  get isBehind(): boolean {
    return !this.#backlog.isEmpty || this.#watch?.isFull !== false;
  }

  get backlogBytes(): number {
    return this.#backlog.bytes;
  }

  /** Keeps a frame for when the connection has room again. */
  owe(frame: TelemetryNew, points: number, bytes: number): void {
    this.#backlog.addFrame(frame, points, bytes, this.#context.clock.nowMs());
  }

  /** Keeps anything else; `send` puts it onto the connection. */
  oweNews(send: () => void, bytes: number): void {
    this.#backlog.addNews(send, bytes, this.#context.clock.nowMs());
  }

  /** Sends what waits as far as there is room: first what is not there any more, then news, then samples, merged by device. */
  settle(): void {
    while (!this.#backlog.isEmpty && this.#watch?.isFull === false) {
      const notice = this.#backlog.takeNotice();
      if (notice !== null) this.socket.emit('live:lagged', notice);
      const news = this.#backlog.takeNews();
      if (news !== null) {
        news.send();
        continue;
      }
      const frame = this.#backlog.takeFrame();
      if (frame !== null) this.socket.emit('telemetry:new', frame);
    }
  }

  /** Says why and closes the connection. */
  end(code: SessionEnded['code']): void {
    this.socket.emit('session:ended', { code });
    this.socket.disconnect(true);
  }

  async #subscribe(target: unknown): Promise<void> {
    const rooms = await roomsOf(this.#context, this.principal, target);
    const { liveSubscriptionsPerClientMax: roomsMax } = this.#context.settings;
    if (this.#rooms.size + rooms.length > roomsMax) {
      throw new FieldlineError('BAD_REQUEST', `a connection can have ${roomsMax} subscriptions; unsubscribe from some`);
    }
    // It may have gone while the catalog was asked.
    if (this.socket.connected) for (const room of rooms) this.#enter(room, target);
  }

  async #unsubscribe(target: unknown): Promise<void> {
    for (const room of await roomsOf(this.#context, this.principal, target)) this.#leave(room);
  }

  /** Takes a fresh token of the same user; rooms that its scope no longer shows are left. */
  async #authenticate(token: unknown): Promise<void> {
    const principal = await this.#context.tokens.verify(typeof token === 'string' ? token : '');
    const { userId, organizationId } = this.principal;
    if (principal.userId !== userId || principal.organizationId !== organizationId) {
      throw new FieldlineError('FORBIDDEN', 'the token belongs to somebody else; open a new connection for them');
    }
    this.socket.data.principal = principal;
    clearTimeout(this.#expiry);
    this.#expiry = this.#expireAt(principal.expiresAtMs);
    for (const [room, target] of [...this.#rooms]) {
      const rooms = await roomsOf(this.#context, principal, target).catch(gone);
      if (!rooms.includes(room)) this.#leave(room);
    }
  }

  async #answer(ack: ((answer: LiveAck) => void) | undefined, work: () => Promise<void>): Promise<void> {
    const reply = typeof ack === 'function' ? ack : () => {};
    try {
      await work();
      reply({ ok: true });
    } catch (error) {
      if (isFieldlineError(error) && error.status < 500) {
        reply({ ok: false, code: error.code, message: error.message });
        return;
      }
      this.#context.logger.error({ err: error, userId: this.principal.userId }, 'a live request failed');
      reply({ ok: false, code: 'INTERNAL', message: 'the server could not answer; its log has the reason' });
    }
  }

  #enter(room: string, target: unknown): void {
    if (this.#rooms.has(room)) return;
    this.#rooms.set(room, target);
    void this.socket.join(room);
    if (this.#counts.change(room, 1)) this.#interestChanged();
  }

  #leave(room: string): void {
    if (!this.#rooms.delete(room)) return;
    void this.socket.leave(room);
    if (this.#counts.change(room, -1)) this.#interestChanged();
  }

  #left(): void {
    clearTimeout(this.#expiry);
    for (const room of [...this.#rooms.keys()]) this.#leave(room);
    this.#backlog.clear();
  }

  #expireAt(expiresAtMs: number): NodeJS.Timeout {
    return setTimeout(() => this.end('TOKEN_EXPIRED'), Math.max(0, expiresAtMs - this.#context.clock.nowMs()));
  }

  #tooMany(): boolean {
    const second = Math.floor(this.#context.clock.monotonicMs() / 1000);
    if (second !== this.#messagesSecond) this.#messages = 0;
    this.#messagesSecond = second;
    this.#messages += 1;
    return this.#messages > MESSAGES_PER_SECOND_MAX;
  }
}

/** What cannot be seen any more leads to no room; that the catalog is away is no reason to leave one. */
function gone(error: unknown): string[] {
  if (isFieldlineError(error) && error.status < 500) return [];
  throw error;
}
