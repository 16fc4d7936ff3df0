/**
 * What comes over the live bus (samples, status changes, events) goes to whoever looks, some ten times a second, encoded once a
 * room. A client whose connection is full gets it later, merged and thinned; it holds up nobody else.
 */
import type { ClientEvents, ServerEvents, TelemetryNew } from '@fieldline/contract';
import { type DomainEvent, microsToIso } from '@fieldline/model';
import type { Server } from 'socket.io';
import type { DeviceStatusUpdate, LiveFrame } from '../dependencies.ts';
import type { ApiContext } from '../handlers.ts';
import type { UserPrincipal } from '../principal.ts';
import { eventJson } from '../routes/events/index.ts';
import { isoOrNull } from '../text.ts';
import { sizeOf } from './backlog.ts';
import { FrameBuffer } from './frame-buffer.ts';
import { LiveClient, type LiveSocket } from './live-client.ts';
import { RoomCounts, roomOf } from './rooms.ts';
import { Watches } from './watches.ts';

export type LiveServer = Server<ClientEvents, ServerEvents, Record<string, never>, { principal: UserPrincipal }>;

/** Overviews (site, organization) get the newest values of a device within so many frames. */
const FRAMES_PER_OVERVIEW = 10;
/** Devices with samples that wait for a frame; beyond it samples of further devices wait for their next ones. */
const DEVICES_MAX = 20_000;
/** What a status change or an event takes in memory while it waits, beside its text. */
const NEWS_BYTES = 500;

export class LiveHub {
  readonly #io: LiveServer;
  readonly #context: ApiContext;
  readonly #clients = new Map<string, LiveClient>();
  readonly #counts = new RoomCounts();
  readonly #watches: Watches;
  readonly #detailed = new Map<string, FrameBuffer>();
  readonly #overview = new Map<string, FrameBuffer>();
  readonly #ends: (() => void)[];
  #frames = 0;
  #interestPending = false;

  constructor(io: LiveServer, context: ApiContext) {
    this.#io = io;
    this.#context = context;
    const { liveBus, catalog, metrics, settings } = context;
    this.#watches = new Watches(
      io.engine,
      settings,
      metrics,
      () => context.clock.monotonicMs(),
      () => Math.max(0, ...[...this.#clients.values()].map(({ backlogBytes }) => backlogBytes)),
    );
    metrics.gauge('ws_connected_clients', 'Clients that are connected to /live', [], (gauge) =>
      gauge.set(this.clientCount),
    );
    const timer = setInterval(() => this.#flush(), settings.liveFrameIntervalMs);
    this.#ends = [
      () => clearInterval(timer),
      () => this.#watches.close(),
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
    const client = new LiveClient(socket, this.#context, this.#counts, this.#watches, () => this.#tellInterest());
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
    if (this.#counts.has(roomOf('device', frame.deviceId))) addTo(this.#detailed, frame, this.#frames);
    if (this.#counts.has(roomOf('organization', frame.organizationId)) || this.#counts.has(this.#siteRoom(frame))) {
      // Spread over the frames to come, so that a thousand devices are no burst.
      addTo(this.#overview, frame, this.#frames + 1 + (this.#overview.size % FRAMES_PER_OVERVIEW));
    }
  }

  #flush(): void {
    for (const client of this.#clients.values()) client.settle();
    for (const [deviceId, buffer] of this.#detailed) this.#send(buffer.takeAll(), [roomOf('device', deviceId)]);
    this.#detailed.clear();
    this.#frames += 1;
    for (const [deviceId, buffer] of this.#overview) {
      if (buffer.dueFrame > this.#frames) continue;
      this.#overview.delete(deviceId);
      const rooms = [roomOf('organization', buffer.organizationId), this.#siteRoom(buffer)];
      // Whoever looks at the device itself has had these samples.
      this.#send(buffer.takeNewest(), rooms, roomOf('device', deviceId));
    }
  }

  #send(frame: TelemetryNew, rooms: readonly string[], exceptRoom?: string): void {
    const behind = this.#behind(rooms, exceptRoom);
    if (behind.length > 0) {
      const { points, bytes } = sizeOf(frame);
      for (const client of behind) client.owe(frame, points, bytes);
    }
    this.#others(rooms, behind, exceptRoom).emit('telemetry:new', frame);
  }

  /** Anything but samples. `emit` puts it onto one connection, or onto all that have room. */
  #tell(rooms: readonly string[], news: object, emit: (to: Pick<LiveServer, 'emit'> | LiveSocket) => void): void {
    const behind = this.#behind(rooms);
    const bytes = behind.length === 0 ? 0 : NEWS_BYTES + 2 * JSON.stringify(news).length;
    for (const client of behind) client.oweNews(() => emit(client.socket), bytes);
    emit(this.#others(rooms, behind));
  }

  /** Members of the rooms to whose connections nothing may be written now. */
  #behind(rooms: readonly string[], exceptRoom?: string): LiveClient[] {
    const members = this.#io.of('/').adapter.rooms;
    const except = exceptRoom === undefined ? undefined : members.get(exceptRoom);
    const behind = new Set<LiveClient>();
    for (const room of rooms) {
      for (const id of members.get(room) ?? []) {
        const client = this.#clients.get(id);
        if (client?.isBehind === true && except?.has(id) !== true) behind.add(client);
      }
    }
    return [...behind];
  }

  #others(rooms: readonly string[], behind: readonly LiveClient[], exceptRoom?: string) {
    const except = behind.map(({ socket }) => socket.id);
    if (exceptRoom !== undefined) except.push(exceptRoom);
    return this.#io.to([...rooms]).except(except);
  }

  #tellStatus(update: DeviceStatusUpdate): void {
    const { organizationId, deviceId, status, since, lastSeen } = update;
    const timestamp = microsToIso(since ?? this.#context.clock.nowMicros());
    const change = { organizationId, deviceId, status, since: isoOrNull(since), lastSeen: isoOrNull(lastSeen) };
    this.#tell(this.#roomsFor(organizationId, deviceId), change, (to) => {
      to.emit('device:status', change);
      if (status === 'online') to.emit('device:connected', { organizationId, deviceId, timestamp });
      if (status === 'offline') {
        to.emit('device:disconnected', { organizationId, deviceId, timestamp, reason: update.reason ?? '' });
      }
    });
  }

  #tellEvent(event: DomainEvent): void {
    const { organizationId, subjectKind, subjectId } = event;
    const rooms =
      subjectKind === 'device' ? this.#roomsFor(organizationId, subjectId) : [roomOf('organization', organizationId)];
    const json = eventJson(event);
    this.#tell(rooms, json, (to) => to.emit('event:created', json));
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

function addTo(buffers: Map<string, FrameBuffer>, frame: LiveFrame, dueFrame: number): void {
  let buffer = buffers.get(frame.deviceId);
  if (buffer === undefined) {
    if (buffers.size >= DEVICES_MAX) return;
    buffer = new FrameBuffer(frame.organizationId, frame.deviceId, dueFrame);
    buffers.set(frame.deviceId, buffer);
  }
  buffer.add(frame);
}
