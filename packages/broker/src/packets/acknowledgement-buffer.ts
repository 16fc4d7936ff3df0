/** Acknowledgements of one connection, end to end, so that a batch of them is one write to the socket. */
import type { ProtocolVersion } from '../message.ts';
import { ACKNOWLEDGEMENT_BYTES_MAX, writeAcknowledgement } from './acknowledgement.ts';

const BYTES_MIN = 64;
/** What a connection expects for its next batch is never more than this. */
const EXPECTED_BYTES_MAX = 65_536;

export class AcknowledgementBuffer {
  #bytes: Buffer | null = null;
  #length = 0;
  #expected = BYTES_MIN;

  add(packetType: number, packetId: number, reasonCode: number, protocolVersion: ProtocolVersion): void {
    const bytes = this.#room(ACKNOWLEDGEMENT_BYTES_MAX);
    this.#length = writeAcknowledgement(bytes, this.#length, packetType, packetId, reasonCode, protocolVersion);
  }

  /** Adds a packet that stands as bytes already. */
  append(packet: Buffer): void {
    this.#length += packet.copy(this.#room(packet.length), this.#length);
  }

  /** The bytes to write, given away; null where there are none. Next time there is room for as many and a few more. */
  take(): Buffer | null {
    if (this.#bytes === null) return null;
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#expected = Math.min(Math.max(BYTES_MIN, this.#length + 32), EXPECTED_BYTES_MAX);
    this.#bytes = null;
    this.#length = 0;
    return bytes;
  }

  #room(byteLength: number): Buffer {
    if (this.#bytes === null) {
      this.#bytes = Buffer.allocUnsafe(Math.max(this.#expected, byteLength));
    } else if (this.#length + byteLength > this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes], Math.max(this.#bytes.length * 2, this.#length + byteLength));
    }
    return this.#bytes;
  }
}
