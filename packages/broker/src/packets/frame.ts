/**
 * Cuts a byte stream into packets. What can be judged from the fixed header is judged before anything is buffered:
 * type, flags, remaining length, maximum size (MQTT 5, 2.1). Whole packets in a chunk are handed on in place, without
 * a copy; only a packet that is spread over chunks is gathered, in a buffer that grows with what has really arrived.
 *
 *   byte 0: type (4 bits) | flags (4 bits)    byte 1…4: remaining length    then: remaining length bytes
 */
import { malformed, ProtocolError, protocolViolation } from './protocol-error.ts';
import { REASON } from './reason-codes.ts';

export const PACKET = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;

/** Flags that a client's packet must carry (MQTT 5, 2.1.3); -1 = any, -2 = not a client's packet. */
const CLIENT_FLAGS = [-2, 0, -2, -1, 0, 0, 2, 0, 2, -2, 2, -2, 0, -2, 0, 0];

export interface FrameSink {
  /** One packet: its first byte, and where its body stands in the buffer (valid during the call). */
  onFrame(firstByte: number, buffer: Buffer, start: number, end: number): void;
}

const NOTHING = Buffer.alloc(0);

export class FrameReader {
  readonly #sink: FrameSink;
  /** A larger packet is refused from its header on. */
  packetBytesMax: number;
  #partial: Buffer = NOTHING;
  #partialLength = 0;
  #held = false;

  constructor(sink: FrameSink, packetBytesMax: number) {
    this.#sink = sink;
    this.packetBytesMax = packetBytesMax;
  }

  /** Bytes that wait for the rest of their packet, or for release(). */
  get bufferedBytes(): number {
    return this.#partialLength;
  }

  /** Takes bytes in and hands out every packet that is complete. Throws a ProtocolError. */
  push(chunk: Buffer): void {
    if (this.#held) {
      this.#keep(chunk, 0, this.#partialLength + chunk.length);
      return;
    }
    if (this.#partialLength === 0) {
      this.#scan(chunk);
      return;
    }
    this.#fillPartial(chunk);
  }

  /** Stops handing out packets (while a CONNECT is being judged); what comes in is kept. Pause the socket, too. */
  hold(): void {
    this.#held = true;
  }

  /** Goes on after hold(). */
  release(): void {
    this.#held = false;
    if (this.#partialLength === 0) return;
    const kept = this.#partial.subarray(0, this.#partialLength);
    this.#drop();
    this.#scan(kept);
  }

  #scan(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length) {
      const bodyStart = this.#bodyStart(chunk, position, chunk.length);
      const packetEnd = bodyStart < 0 ? -1 : bodyStart + this.#remainingLength;
      if (packetEnd < 0 || packetEnd > chunk.length) {
        this.#keep(chunk, position, packetEnd < 0 ? 5 : packetEnd - position);
        return;
      }
      this.#sink.onFrame(chunk[position]!, chunk, bodyStart, packetEnd);
      position = packetEnd;
      if (this.#held) {
        if (position < chunk.length) this.#keep(chunk, position, chunk.length - position);
        return;
      }
    }
  }

  /** Completes the packet that was left over, then goes on in place. */
  #fillPartial(chunk: Buffer): void {
    let taken = 0;
    while (taken < chunk.length) {
      const bodyStart = this.#bodyStart(this.#partial, 0, this.#partialLength);
      // Until the length is known, take one byte at a time: at most four.
      const needed = bodyStart < 0 ? this.#partialLength + 1 : bodyStart + this.#remainingLength;
      const count = Math.min(needed - this.#partialLength, chunk.length - taken);
      this.#keep(chunk.subarray(taken, taken + count), 0, needed);
      taken += count;
      if (this.#finishPartial()) break;
    }
    if (taken >= chunk.length) return;
    const rest = chunk.subarray(taken);
    if (this.#held) this.#keep(rest, 0, rest.length);
    else this.#scan(rest);
  }

  #finishPartial(): boolean {
    const bodyStart = this.#bodyStart(this.#partial, 0, this.#partialLength);
    if (bodyStart < 0 || this.#partialLength < bodyStart + this.#remainingLength) return false;
    const packet = this.#partial;
    const end = this.#partialLength;
    this.#drop();
    this.#sink.onFrame(packet[0]!, packet, bodyStart, end);
    return true;
  }

  #remainingLength = 0;

  /** Where the body begins, with #remainingLength set; -1 where the fixed header is not complete yet. */
  #bodyStart(buffer: Buffer, start: number, end: number): number {
    const firstByte = buffer[start]!;
    const flags = CLIENT_FLAGS[firstByte >> 4]!;
    if (flags !== -1 && flags !== (firstByte & 0x0f)) throw headerError(firstByte);
    let length = 0;
    for (let index = 1; index <= 4; index++) {
      if (start + index >= end) return -1;
      const byte = buffer[start + index]!;
      length |= (byte & 0x7f) << (7 * (index - 1));
      if (byte < 0x80) {
        if (byte === 0 && index > 1) throw malformed('the remaining length is longer than it needs to be'); // [MQTT-1.5.5-1]
        if (length + index + 1 > this.packetBytesMax) throw tooLarge(length + index + 1, this.packetBytesMax);
        this.#remainingLength = length;
        return start + index + 1;
      }
    }
    throw malformed('the remaining length has more than four bytes');
  }

  #keep(chunk: Buffer, from: number, expected: number): void {
    const count = chunk.length - from;
    const needed = this.#partialLength + count;
    if (needed > this.#partial.length) {
      // Grows by doubling towards what is expected, never at once to what a header merely claims.
      const size = Math.max(needed, Math.min(expected, Math.max(256, this.#partial.length * 2)));
      const grown = Buffer.allocUnsafeSlow(size);
      this.#partial.copy(grown, 0, 0, this.#partialLength);
      this.#partial = grown;
    }
    chunk.copy(this.#partial, this.#partialLength, from);
    this.#partialLength = needed;
  }

  #drop(): void {
    this.#partial = NOTHING;
    this.#partialLength = 0;
  }
}

function headerError(firstByte: number): ProtocolError {
  const type = firstByte >> 4;
  if (type === 0) return malformed('packet type 0 is reserved');
  if (CLIENT_FLAGS[type] === -2) return protocolViolation(`packet type ${type} is not for a client to send`);
  return malformed(`packet type ${type} has flags ${firstByte & 0x0f}`); // MQTT 5, 2.1.3
}

function tooLarge(bytes: number, packetBytesMax: number): ProtocolError {
  return new ProtocolError(REASON.packetTooLarge, `a packet of ${bytes} bytes; at most ${packetBytesMax} are taken`); // [MQTT-3.2.2-15]
}
