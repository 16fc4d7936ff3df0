/**
 * One client: ties a socket to the frame reader, the session and the group commit. Phases: connecting (a CONNECT is
 * awaited) → judging (it is being authenticated; nothing is read) → open → closed. Reading stops whenever somebody holds
 * it: the log, the connection's own budget, a client that does not read, or a CONNECT that is being judged.
 */
import { isFieldlineError } from '@fieldline/kit';
import type { BrokerContext } from './broker-context.ts';
import type { EndReason } from './broker-counters.ts';
import type { WaitsForRoom } from './budgets.ts';
import { takePacket } from './client-packets.ts';
import { DurableOrder } from './durable-order.ts';
import type { CommitTarget } from './group-commit.ts';
import { HeldBytes } from './held-bytes.ts';
import { InboundPublish } from './inbound-publish.ts';
import type { ClientStream } from './listeners.ts';
import type { Delivery, ProtocolVersion } from './message.ts';
import {
  changeExpiry,
  checkConnect,
  identify,
  type OpenedSession,
  openSession,
  type PeerFacts,
} from './open-session.ts';
import { OutboundPublish } from './outbound-publish.ts';
import { encodeExplained } from './packets/acknowledgement.ts';
import { AcknowledgementBuffer } from './packets/acknowledgement-buffer.ts';
import { encodeConnackAccepted, encodeConnackRefused } from './packets/connack.ts';
import { ConnectError, type ConnectPacket, decodeConnect } from './packets/connect.ts';
import { decodeDisconnect, encodeDisconnect } from './packets/disconnect.ts';
import { FrameReader, type FrameSink, PACKET } from './packets/frame.ts';
import { PacketReader } from './packets/packet-reader.ts';
import { ProtocolError } from './packets/protocol-error.ts';
import { REASON } from './packets/reason-codes.ts';
import type { Session, SessionLink } from './session/session.ts';

/** Why the socket is not read at the moment; bits. */
const HOLD = { judging: 1, log: 2, ownBudget: 4, slowReader: 8, stopping: 16 } as const;

export class Connection implements FrameSink, SessionLink, CommitTarget, WaitsForRoom {
  readonly #context: BrokerContext;
  readonly #socket: ClientStream;
  readonly #peer: PeerFacts;
  readonly #frames: FrameReader;
  #phase: 'connecting' | 'judging' | 'open' | 'closed' = 'connecting';
  protocolVersion: ProtocolVersion = 4;
  /** Received time of what is being handled, in microseconds. */
  receivedTime = 0;
  commitSerial = 0;
  /** Waits in the context's list of those to be pumped. */
  isWoken = false;
  #session: Session | null = null;
  #inbound: InboundPublish | null = null;
  #outbound: OutboundPublish | null = null;
  /** What the client takes at most (3.1.2.11.4). */
  clientPacketBytesMax = Number.POSITIVE_INFINITY;
  /** The client wants reasons in words (3.1.2.11.7). */
  wantsReasons = true;
  /** Reasons of messages that are refused or not retained by packet id, until their acknowledgement goes out; as many as there are unanswered messages. */
  #reasons: Map<number, string> | null = null;
  #keepAliveMs = 0;
  #isGreeted = false;
  #lastReceivedMs: number;
  readonly #connectedMs: number;
  #holds = 0;
  readonly held: HeldBytes;
  readonly #acknowledgements = new AcknowledgementBuffer();
  readonly #answers: DurableOrder;

  /** `acceptedMs`: when TCP was accepted (monotonic): from then on CONNECT is awaited. */
  constructor(context: BrokerContext, socket: ClientStream, peer: PeerFacts, acceptedMs: number) {
    this.#context = context;
    this.#socket = socket;
    this.#peer = peer;
    this.#answers = new DurableOrder(context.store, context.clock);
    this.held = new HeldBytes(context.budgets, context.limits);
    this.#frames = new FrameReader(this, Math.min(context.limits.connectBytesMax, context.limits.packetBytesMax));
    this.#connectedMs = acceptedMs;
    this.#lastReceivedMs = this.#connectedMs;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    if (socket.onGathered === null) socket.onGathered = () => this.#onGathered();
    socket.on('drain', () => this.#onDrain());
    socket.on('error', () => {}); // 'close' follows, and that is what counts
    socket.on('close', () => {
      this.held.release();
      this.#ended(REASON.unspecifiedError, 'the connection was lost', true);
    });
  }

  /** The device that is connected; null before CONNECT is accepted. */
  get session(): Session | null {
    return this.#session;
  }

  /** The client cannot take anything now: it reads too slowly, or has not had its CONNACK yet [MQTT-3.2.0-1]. */
  get isSlow(): boolean {
    return !this.#isGreeted || this.held.isStuffed;
  }

  /** Bytes that were read and wait for the log. */
  addPending(byteLength: number): void {
    this.held.addLog(byteLength);
  }

  write(bytes: Buffer): void {
    if (this.#phase === 'closed' || this.#socket.destroyed) return;
    this.#context.counters.bytesSent += bytes.length;
    this.#socket.write(bytes);
    this.held.wrote(this.#socket);
    // A client that does not read its answers is not listened to either: its answers stay bounded.
    if (this.held.isStuffed) this.#hold(HOLD.slowReader);
  }

  /** Writes an answer that the client waits for; where it does not take one of this size, they cannot go on [MQTT-3.1.2-24]. */
  answer(packet: Buffer): void {
    if (packet.length <= this.clientPacketBytesMax) this.write(packet);
    else this.close(REASON.packetTooLarge, `an answer of ${packet.length} bytes is over your Maximum Packet Size`);
  }

  /** Runs `action` when all that the session store was told is durable, unless the client has gone by then. */
  whenDurable(action: () => void): void {
    this.#answers.run(
      () => this.#phase === 'open' && action(),
      // The error names files of the server: the store has told it to the server's log.
      () => this.close(REASON.unspecifiedError, "the session cannot be stored: the server's log has the reason"),
    );
  }

  // ── SessionLink ──

  sendQos0(delivery: Delivery): boolean {
    if (this.isSlow) return false;
    this.#outbound!.sendQos0(delivery);
    return true;
  }

  wake(): void {
    this.#context.wake(this);
  }

  pump(): void {
    this.isWoken = false;
    if (this.#phase !== 'open') return;
    this.#socket.cork();
    this.#outbound!.pump();
    this.#socket.uncork();
  }

  takenOver(): void {
    this.close(REASON.sessionTakenOver, 'another connection has taken the session over'); // [MQTT-3.1.4-3]
  }

  // ── CommitTarget ──

  committed(packetType: number, packetId: number, reasonCode: number, byteLength: number): void {
    this.held.addLog(-byteLength);
    if (packetType === 0 || this.#phase !== 'open') return;
    if (packetType !== PACKET.pubrec || reasonCode >= 0x80) this.#inbound!.answered();
    if ((reasonCode >= 0x80 || this.#reasons !== null) && this.wantsReasons && this.protocolVersion === 5) {
      this.#explained(packetType, packetId, reasonCode);
    } else this.#acknowledgements.add(packetType, packetId, reasonCode, this.protocolVersion);
  }

  /** What there is to say about the message with this packet id; goes out with its acknowledgement. */
  explain(packetId: number, reason: string): void {
    if (!this.wantsReasons || this.protocolVersion === 4) return;
    this.#reasons ??= new Map();
    this.#reasons.set(packetId, reason);
  }

  #explained(packetType: number, packetId: number, reasonCode: number): void {
    const reason = this.#reasons?.get(packetId);
    if (this.#reasons?.delete(packetId) && this.#reasons.size === 0) this.#reasons = null;
    if (reason === undefined && reasonCode < 0x80) {
      this.#acknowledgements.add(packetType, packetId, reasonCode, this.protocolVersion);
      return;
    }
    const words = reason ?? `packet identifier ${packetId} is not in use`;
    this.#acknowledgements.append(encodeExplained(packetType, packetId, reasonCode, words, this.clientPacketBytesMax));
  }

  flushAcknowledgements(): void {
    const bytes = this.#acknowledgements.take();
    if (bytes !== null) this.write(bytes);
    if (
      (this.#holds & HOLD.ownBudget) !== 0 &&
      this.held.log <= this.#context.limits.pendingBytesPerConnectionMax / 2
    ) {
      this.#letGo(HOLD.ownBudget);
    }
    this.held.giveRoom();
  }

  failed(reasonCode: number, reason: string): void {
    this.held.giveRoom();
    this.close(reasonCode, reason);
  }

  /** There is room for the log again. */
  roomAgain(): void {
    this.#letGo(HOLD.log);
  }

  /** Takes nothing more in, so that what is in can be finished. */
  stopReading(): void {
    this.#hold(HOLD.stopping);
  }

  /** Closes with the reason (MQTT 5: DISCONNECT; MQTT 3.1.1 has no word for it). The will stays due. */
  close(reasonCode: number, reason: string): void {
    if (this.#phase === 'closed') return;
    if (this.#isGreeted && this.protocolVersion === 5) {
      this.write(encodeDisconnect(reasonCode, this.wantsReasons ? reason : '', this.clientPacketBytesMax));
    }
    this.#ended(reasonCode, reason, true);
  }

  /** Closes what has been silent, or slow, for too long; called now and then. */
  checkTime(nowMs: number): void {
    if (this.#phase === 'connecting' || this.#phase === 'judging') {
      if (nowMs - this.#connectedMs >= this.#context.limits.connectTimeoutMs) {
        this.#end('no-connect', REASON.unspecifiedError, 'no CONNECT in time');
      }
      return;
    }
    const isRead = this.#holds === 0;
    // While we do not read, silence is ours. [MQTT-3.1.2-22]: one and a half times the keep-alive.
    if (!isRead) this.#lastReceivedMs = nowMs;
    if (this.held.isStalled(this.#socket, nowMs)) {
      this.#end('stalled-reader', REASON.quotaExceeded, 'what was sent has not been read for too long');
    } else if (this.held.isPacketLate(nowMs, isRead)) {
      this.#end('slow-packet', REASON.quotaExceeded, 'a packet was not complete in time');
    } else if (this.#keepAliveMs > 0 && nowMs - this.#lastReceivedMs > this.#keepAliveMs * 1.5) {
      this.#end('keep-alive', REASON.keepAliveTimeout, 'nothing was heard for one and a half times the keep-alive');
    }
  }

  #end(why: EndReason, reasonCode: number, reason: string): void {
    if (this.#phase === 'closed') return;
    this.#context.counters.ended[why] += 1;
    if (this.#phase !== 'open') {
      this.#context.counters.connectionsRefused += 1;
      this.#ended(reasonCode, reason, false);
      this.#socket.destroy(); // There is nothing to be told; over WebSocket it need not close the closing handshake either.
      return;
    }
    this.close(reasonCode, reason);
    if (why === 'stalled-reader') this.#socket.destroy(); // It would not read the last words either.
  }

  #onData(chunk: Buffer): void {
    const { clock, counters } = this.#context;
    counters.bytesReceived += chunk.length;
    if (this.#phase === 'closed') return;
    this.#lastReceivedMs = clock.monotonicMs();
    this.receivedTime = clock.nowMicros();
    this.#socket.cork();
    this.#guard(() => this.#frames.push(chunk));
    this.#socket.uncork();
    this.#checkPartial();
    this.#checkBudget();
  }

  /** Part of a WebSocket message has come. */
  #onGathered(): void {
    if (this.#phase === 'closed') return;
    this.#lastReceivedMs = this.#context.clock.monotonicMs();
    this.#checkPartial();
  }

  /** What is left of a packet whose rest is still to come counts, and not for ever. */
  #checkPartial(): void {
    const kept = this.#phase === 'closed' ? 0 : this.#frames.bufferedBytes + (this.#socket.gatheredBytes ?? 0);
    if (this.held.keepsPartial(kept, this.#lastReceivedMs) || this.#phase === 'closed') return;
    this.#end('over-budget', REASON.quotaExceeded, 'too many bytes of packets that are not complete');
  }

  onFrame(firstByte: number, buffer: Buffer, start: number, end: number): void {
    this.held.packetDone();
    if (this.#phase === 'open') {
      if (firstByte >> 4 === PACKET.publish) this.#inbound!.take(firstByte, buffer, start, end);
      else this.#onPacket(firstByte >> 4, new PacketReader(buffer, start, end));
    } else if (this.#phase === 'connecting') {
      // [MQTT-3.1.0-1]: the first packet is CONNECT.
      if (firstByte >> 4 !== PACKET.connect)
        throw new ProtocolError(REASON.protocolError, 'the first packet is not CONNECT');
      this.#onConnect(decodeConnect(new PacketReader(buffer, start, end)));
    }
  }

  #onPacket(packetType: number, reader: PacketReader): void {
    if (packetType === PACKET.disconnect) this.#onDisconnect(reader);
    else takePacket(this.#context, this, this.#session!, this.#outbound!, packetType, reader);
  }

  #onDisconnect(reader: PacketReader): void {
    const { reasonCode, sessionExpiryIntervalS } = decodeDisconnect(reader, this.protocolVersion);
    const session = this.#session!;
    if (sessionExpiryIntervalS !== null) changeExpiry(this.#context, session, sessionExpiryIntervalS);
    this.#ended(reasonCode, 'the client has disconnected', reasonCode !== REASON.success); // [MQTT-3.14.4-3]
  }

  #onConnect(packet: ConnectPacket): void {
    this.protocolVersion = packet.protocolVersion;
    this.clientPacketBytesMax = packet.properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.wantsReasons = packet.properties.requestProblemInformation !== 0;
    this.#phase = 'judging';
    this.#frames.hold();
    this.#hold(HOLD.judging);
    // The packet's views into the socket's buffer are used before the next read.
    this.#judge({ ...packet, password: packet.password && Buffer.from(packet.password) }).catch((error: unknown) => {
      if (error instanceof ProtocolError) return this.#refuse(error, packet.clientId);
      this.#context.logger.error(
        { error: String(error), clientId: packet.clientId },
        'a connection failed inside the broker',
      );
      this.#ended(REASON.unspecifiedError, 'internal error', true);
    });
  }

  async #judge(packet: ConnectPacket): Promise<void> {
    checkConnect(packet);
    const identity = await identify(this.#context, packet, this.#peer);
    if (this.#phase !== 'judging') return;
    const opened = openSession(this.#context, packet, identity);
    const { session, clientTerms } = opened;
    this.held.belongsTo(session.device);
    this.#session = session;
    this.#inbound = new InboundPublish(this.#context, this, session);
    this.#outbound = new OutboundPublish(this.#context, this, session, clientTerms);
    this.#keepAliveMs = opened.keepAliveS * 1000;
    this.#lastReceivedMs = this.#context.clock.monotonicMs();
    this.#phase = 'open';
    this.#frames.packetBytesMax = this.#context.limits.packetBytesMax;
    session.connected(this);
    this.#socket.admitted?.();
    this.#answers.run(
      () => this.#phase === 'open' && this.#greet(opened),
      (error) => this.#cannotKeep(error, opened),
      { retryMs: this.#context.limits.appendRetryMs, isAwaited: () => this.#phase === 'open' },
    );
  }

  /** The session is durable: from here on the client is connected. */
  #greet({ isPresent, serverTerms }: OpenedSession): void {
    this.#context.counters.connectionsAccepted += 1;
    this.#isGreeted = true;
    this.#tell('connected', REASON.success, '');
    this.write(encodeConnackAccepted(this.protocolVersion, isPresent, serverTerms));
    this.#context.router.beginRetained(this.#session!);
    this.wake();
    this.#guard(() => this.#frames.release());
    this.#checkPartial();
    this.#letGo(HOLD.judging);
    this.#checkBudget();
  }

  /** A session that is not kept is not promised to the client, and what was made for it here is gone. */
  #cannotKeep(error: unknown, { session, isPresent }: OpenedSession): void {
    if (this.#phase !== 'open') return;
    const isFull = isFieldlineError(error, 'DISK_FULL') || isFieldlineError(error, 'OVERLOADED');
    const reasonCode = isFull ? REASON.quotaExceeded : REASON.serverUnavailable;
    this.#refuse(
      new ProtocolError(reasonCode, 'the session cannot be stored at the moment; try again later'),
      session.clientId,
    );
    if (!isPresent && session.link === null && session.isPersistent) this.#context.registry.end(session);
  }

  /** Runs what decodes; a ProtocolError ends the connection with its reason, anything else is a bug and ends it, too. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof ProtocolError) {
        this.#onProtocolError(error);
        return;
      }
      this.#context.logger.error(
        { error: String(error), stack: error instanceof Error ? error.stack : '' },
        'a packet could not be handled',
      );
      this.close(REASON.unspecifiedError, 'internal error');
    }
  }

  #onProtocolError(error: ProtocolError): void {
    this.#context.counters.protocolErrors += 1;
    if (this.#phase === 'open') {
      this.close(error.reasonCode, error.message); // MQTT 5, 4.13
      return;
    }
    if (error instanceof ConnectError) {
      this.protocolVersion = error.protocolVersion;
      this.#refuse(error, '');
      return;
    }
    this.#context.counters.connectionsRefused += 1;
    this.#ended(error.reasonCode, error.message, false);
  }

  #refuse(error: ProtocolError, clientId: string): void {
    if (this.#phase === 'closed') return;
    const { counters } = this.#context;
    counters.connectionsRefused += 1;
    const reason = this.wantsReasons ? error.message : '';
    const connack = encodeConnackRefused(this.protocolVersion, error.reasonCode, reason, this.clientPacketBytesMax);
    if (connack !== null && connack.length <= this.clientPacketBytesMax) this.write(connack); // [MQTT-3.1.2-24]
    this.#context.tell({
      type: 'refused',
      clientId,
      remoteAddress: this.#peer.remoteAddress,
      reasonCode: error.reasonCode,
      reason: error.message,
    });
    this.#ended(error.reasonCode, error.message, false);
  }

  #ended(reasonCode: number, reason: string, keepWill: boolean): void {
    if (this.#phase === 'closed') return;
    const wasOpen = this.#phase === 'open';
    this.#phase = 'closed';
    this.#context.connections.delete(this);
    this.#closeSocket();
    if (!wasOpen) return;
    // 3.1.2.5: the will is one of an accepted connection.
    this.#context.registry.disconnected(this.#session!, keepWill && this.#isGreeted);
    if (this.#isGreeted) this.#tell('disconnected', reasonCode, reason);
  }

  /** Lets the client read the last words: what it still sends is read and dropped, else the reset would overtake them. */
  #closeSocket(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    socket.end();
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), this.#context.limits.closeTimeoutMs);
    socket.once('close', () => clearTimeout(timer));
  }

  #tell(type: 'connected' | 'disconnected', reasonCode: number, reason: string): void {
    const { identity, clientId } = this.#session!;
    this.#context.tell({ type, identity, clientId, remoteAddress: this.#peer.remoteAddress, reasonCode, reason });
  }

  #checkBudget(): void {
    if (this.#phase !== 'open') return;
    if (this.held.log > this.#context.limits.pendingBytesPerConnectionMax) this.#hold(HOLD.ownBudget);
    if (this.held.log > 0 && this.held.isDeviceFull) {
      this.#hold(HOLD.log);
      this.held.waitForRoom(this);
    }
    // Only those that have a part in it: whoever merely listens is served on.
    if (this.held.log > 0 && this.#context.commit.isFull) {
      this.#hold(HOLD.log);
      this.#context.waitForRoom(this);
    }
  }

  #onDrain(): void {
    this.held.drained();
    if (this.#phase !== 'open') return;
    this.#letGo(HOLD.slowReader);
    this.wake();
  }

  #hold(reason: number): void {
    if (this.#holds === 0) this.#socket.pause();
    this.#holds |= reason;
  }

  #letGo(reason: number): void {
    if (this.#holds === 0) return;
    this.#holds &= ~reason;
    if (this.#holds === 0 && this.#phase !== 'closed') this.#socket.resume();
  }
}
