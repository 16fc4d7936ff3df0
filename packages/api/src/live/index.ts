/**
 * Socket.IO at /live. In: the live bus (samples, status changes, events); out: frames to whoever looks, some ten times a
 * second, encoded once a room. A client whose connection is full gets its frames later, merged and thinned.
 */
import type { Server as HttpServer } from 'node:http';
import { type ClientEvents, LIVE_PATH, type ServerEvents, type TelemetryNew } from '@fieldline/contract';
import { type DomainEvent, microsToIso } from '@fieldline/model';
import { Server } from 'socket.io';
import type { DeviceStatusUpdate, LiveFrame } from '../dependencies.ts';
import type { ApiContext } from '../handlers.ts';
import type { UserPrincipal } from '../principal.ts';
import { eventJson } from '../routes/events/index.ts';
import { isoOrNull } from '../text.ts';
import { FrameBuffer } from './frame-buffer.ts';
import { LiveClient, type LiveSocket } from './live-client.ts';
import { RoomCounts, roomOf } from './rooms.ts';

type LiveServer = Server<ClientEvents, ServerEvents, Record<string, never>, { principal: UserPrincipal }>;

const MESSAGE_BYTES_MAX = 16 * 1024;
/** Overviews (site, organization) get the newest values every so many frames. */
const FRAMES_PER_OVERVIEW = 10;
/** Devices with samples that wait for a frame; beyond it samples of further devices wait for their next ones. */
const DEVICES_MAX = 20_000;

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

class LiveHub {
  readonly #io: LiveServer;
  readonly #context: ApiContext;
  readonly #clients = new Map<string, LiveClient>();
  readonly #counts = new RoomCounts();
  readonly #detailed = new Map<string, FrameBuffer>();
  readonly #overview = new Map<string, FrameBuffer>();
  readonly #ends: (() => void)[];
  #frames = 0;
  #interestPending = false;

  constructor(io: LiveServer, context: ApiContext) {
    this.#io = io;
    this.#context = context;
    const { liveBus, catalog, metrics, settings } = context;
    metrics.gauge('ws_connected_clients', 'Clients that are connected to /live', [], (gauge) =>
      gauge.set(this.clientCount),
    );
    const timer = setInterval(() => this.#flush(), settings.liveFrameIntervalMs);
    this.#ends = [
      () => clearInterval(timer),
      liveBus.onFrame((frame) => this.#take(frame)),
      liveBus.onDeviceStatus((update) => this.#tellStatus(update)),
      liveBus.onEvent((event) => this.#tellEvent(event)),
      catalog.system.sessions.onRevoked((revoked) => this.#endSessions(revoked)),
    ];
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  welcome(socket: LiveSocket): void {
    const client = new LiveClient(socket, this.#context, this.#counts, () => this.#tellInterest());
    this.#clients.set(socket.id, client);
    socket.on('disconnect', () => this.#clients.delete(socket.id));
    // The session may have ended between the handshake and now.
    if (this.#context.tokens.isRevoked(client.principal)) client.end('SESSION_REVOKED');
  }

  close(): void {
    for (const end of this.#ends.splice(0)) end();
    for (const client of this.#clients.values()) client.end('SERVER_STOPPING');
    this.#io.engine.close();
  }

  #take(frame: LiveFrame): void {
    if (this.#counts.has(roomOf('device', frame.deviceId))) addTo(this.#detailed, frame);
    if (this.#counts.has(roomOf('organization', frame.organizationId)) || this.#counts.has(this.#siteRoom(frame))) {
      addTo(this.#overview, frame);
    }
  }

  #flush(): void {
    for (const client of this.#clients.values()) if (client.owes) client.settle();
    for (const [deviceId, buffer] of this.#detailed) this.#send(buffer.takeAll(), [roomOf('device', deviceId)]);
    this.#detailed.clear();
    this.#frames += 1;
    if (this.#frames % FRAMES_PER_OVERVIEW !== 0) return;
    for (const buffer of this.#overview.values()) {
      const rooms = [roomOf('organization', buffer.organizationId), this.#siteRoom(buffer)];
      // Whoever looks at the device itself has had these samples.
      this.#send(buffer.takeNewest(), rooms, roomOf('device', buffer.deviceId));
    }
    this.#overview.clear();
  }

  /** Sends a frame to everybody in the rooms who can take it; keeps it for the others. */
  #send(frame: TelemetryNew, rooms: readonly string[], exceptRoom?: string): void {
    const members = this.#io.of('/').adapter.rooms;
    const except: string[] = exceptRoom === undefined ? [] : [exceptRoom];
    const withDetail = exceptRoom === undefined ? undefined : members.get(exceptRoom);
    const full = new Set<LiveClient>();
    for (const id of rooms.flatMap((room) => [...(members.get(room) ?? [])])) {
      const client = this.#clients.get(id);
      if (client !== undefined && withDetail?.has(id) !== true && (client.owes || !client.writable)) full.add(client);
    }
    for (const client of full) {
      client.owe(frame);
      except.push(client.socket.id);
    }
    this.#io
      .to([...rooms])
      .except(except)
      .emit('telemetry:new', frame);
  }

  #tellStatus(update: DeviceStatusUpdate): void {
    const { organizationId, deviceId, status, since, lastSeen } = update;
    const room = this.#io.to(this.#roomsFor(organizationId, deviceId));
    room.emit('device:status', {
      organizationId,
      deviceId,
      status,
      since: isoOrNull(since),
      lastSeen: isoOrNull(lastSeen),
    });
    const timestamp = microsToIso(since ?? this.#context.clock.nowMicros());
    if (status === 'online') room.emit('device:connected', { organizationId, deviceId, timestamp });
    if (status === 'offline') {
      room.emit('device:disconnected', { organizationId, deviceId, timestamp, reason: update.reason ?? '' });
    }
  }

  #tellEvent(event: DomainEvent): void {
    const { organizationId, subjectKind, subjectId } = event;
    const rooms =
      subjectKind === 'device' ? this.#roomsFor(organizationId, subjectId) : [roomOf('organization', organizationId)];
    this.#io.to(rooms).emit('event:created', eventJson(event));
  }

  #endSessions({ userId, familyId }: { readonly userId: string; readonly familyId: string | null }): void {
    for (const client of [...this.#clients.values()]) {
      const { principal } = client;
      if (principal.userId === userId && (familyId === null || principal.familyId === familyId)) {
        client.end('SESSION_REVOKED');
      }
    }
  }

  #roomsFor(organizationId: string, deviceId: string): string[] {
    return [roomOf('device', deviceId), roomOf('organization', organizationId), this.#siteRoom({ deviceId })];
  }

  #siteRoom({ deviceId }: { readonly deviceId: string }): string {
    return roomOf('site', this.#context.directory.device(deviceId)?.siteId ?? 'none');
  }

  /** Many changes of one turn of the event loop are told once. */
  #tellInterest(): void {
    if (this.#interestPending) return;
    this.#interestPending = true;
    setImmediate(() => {
      this.#interestPending = false;
      this.#context.liveBus.setInterest(this.#counts.interest());
    });
  }
}

function addTo(buffers: Map<string, FrameBuffer>, frame: LiveFrame): void {
  let buffer = buffers.get(frame.deviceId);
  if (buffer === undefined) {
    if (buffers.size >= DEVICES_MAX) return;
    buffer = new FrameBuffer(frame.organizationId, frame.deviceId);
    buffers.set(frame.deviceId, buffer);
  }
  buffer.add(frame);
}
