/**
 * A cursor over the body of one packet. Every read checks that the bytes are there; what is missing is a malformed
 * packet (0x81). Byte arrays come out as views into the socket's buffer: whoever keeps them copies them.
 */
import { malformed } from './protocol-error.ts';
import { checkUtf8, readUtf8 } from './utf8.ts';

export class PacketReader {
  readonly buffer: Buffer;
  position: number;
  readonly end: number;

  constructor(buffer: Buffer, start: number, end: number) {
    this.buffer = buffer;
    this.position = start;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  byte(): number {
    return this.buffer[this.#advance(1)]!;
  }

  uint16(): number {
    return this.buffer.readUInt16BE(this.#advance(2));
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.#advance(4));
  }

  /** Variable byte integer of at most four bytes, in its shortest form (MQTT 5, 1.5.5). */
  variableInteger(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) throw malformed('a variable byte integer is longer than it needs to be'); // [MQTT-1.5.5-1]
        return value;
      }
    }
    throw malformed('a variable byte integer has more than four bytes');
  }

  string(): string {
    const length = this.uint16();
    const start = this.#advance(length);
    return readUtf8(this.buffer, start, start + length);
  }

  /** Checks a string and leaves it where it is. */
  skipString(): void {
    const length = this.uint16();
    const start = this.#advance(length);
    checkUtf8(this.buffer, start, start + length);
  }

  binary(): Buffer {
    const length = this.uint16();
    const start = this.#advance(length);
    return this.buffer.subarray(start, start + length);
  }

  /** Throws where bytes are left over: the remaining length did not fit the content. */
  finish(what: string): void {
    if (this.position !== this.end) throw malformed(`${what} has ${this.remaining} bytes too many`);
  }

  #advance(count: number): number {
    const start = this.position;
    if (start + count > this.end) throw malformed('the packet ends in the middle of a field');
    this.position = start + count;
    return start;
  }
}
