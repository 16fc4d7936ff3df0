/**
 * Reads the Protobuf wire format (https://protobuf.dev/programming-guides/encoding) from one payload, without an object
 * per field. Never reads beyond its end: what is cut off or malformed throws DecodeError with the byte position.
 *
 *   field  = tag value            tag = varint(fieldNumber << 3 | wireType)
 *   value  = varint               wire type 0
 *          | 8 bytes              1
 *          | varint(n) n bytes    2   (text, bytes, message, packed numbers)
 *          | 4 bytes              5
 *
 * 64-bit integers come out as JavaScript numbers: exact up to 2^53, the nearest double beyond.
 */
import { DecodeError } from './codec.ts';

export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_FIXED32 = 5;

const TWO_TO_32 = 4294967296;
const FIELD_NUMBER_SHIFT = 3;
const utf8 = new TextDecoder('utf-8', { fatal: true });
const NOTHING = new Uint8Array(0);

export class WireReader {
  bytes: Uint8Array = NOTHING;
  /** Next byte to read. */
  position = 0;
  /** First byte that must not be read. */
  end = 0;
  fieldNumber = 0;
  wireType = 0;
  #low = 0;
  #high = 0;
  /** Over the payload's whole buffer: payloads of one batch share it, so that a view is made once a batch. */
  #view: DataView<ArrayBufferLike> = new DataView(NOTHING.buffer);

  /** Starts at the beginning of a payload. */
  open(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.position = 0;
    this.end = bytes.length;
    if (this.#view.buffer !== bytes.buffer) this.#view = new DataView(bytes.buffer);
  }

  /** Reads the next tag into fieldNumber and wireType; false at the end. */
  next(): boolean {
    if (this.position >= this.end) return false;
    const start = this.position;
    const first = this.bytes[start]!;
    let tag = first;
    if (first < 0x80) {
      this.position = start + 1;
    } else {
      this.#readVarint();
      if (this.#high !== 0) throw malformed(`a tag of more than 32 bits`, start);
      tag = this.#low;
    }
    this.fieldNumber = tag >>> FIELD_NUMBER_SHIFT;
    this.wireType = tag & 7;
    if (this.fieldNumber === 0) throw malformed('field number 0', start);
    return true;
  }

  /** Passes over the value of a field that is not known. */
  skip(): void {
    switch (this.wireType) {
      case WIRE_VARINT:
        this.#readVarint();
        break;
      case WIRE_FIXED64:
        this.#advance(8);
        break;
      case WIRE_BYTES:
        this.position = this.readLengthDelimited();
        break;
      case WIRE_FIXED32:
        this.#advance(4);
        break;
      default: // 3 and 4 are groups, given up since proto3; 6 and 7 do not exist.
        throw malformed(`wire type ${this.wireType}`, this.position);
    }
  }

  /** Refuses a known field whose wire type is another than the schema says. */
  expect(wireType: number): void {
    if (this.wireType !== wireType) {
      throw malformed(
        `field ${this.fieldNumber} with wire type ${this.wireType} instead of ${wireType}`,
        this.position,
      );
    }
  }

  /** Reads a length and checks that so many bytes are there; returns where they end. They start at `position`. */
  readLengthDelimited(): number {
    const start = this.position;
    this.#readVarint();
    if (this.#high !== 0 || this.#low > this.end - this.position) {
      throw malformed(`a length that goes beyond the end at byte ${this.end}`, start);
    }
    return this.position + this.#low;
  }

  /** uint64, also enum and bool. */
  readUnsigned(): number {
    const first = this.bytes[this.position]!;
    if (first < 0x80 && this.position < this.end) {
      this.position += 1;
      return first;
    }
    this.#readVarint();
    return this.#high * TWO_TO_32 + this.#low;
  }

  /** int64: negative numbers as ten bytes of two's complement. */
  readSigned(): number {
    this.#readVarint();
    return (this.#high | 0) * TWO_TO_32 + this.#low;
  }

  /** sint64: 0, −1, 1, −2 … as 0, 1, 2, 3 … */
  readZigzag(): number {
    const start = this.position;
    const bytes = this.bytes;
    const first = bytes[start]!;
    if (start + 2 <= this.end) {
      if (first < 0x80) {
        this.position = start + 1;
        return (first >>> 1) ^ -(first & 1);
      }
      const second = bytes[start + 1]!;
      if (second < 0x80) {
        this.position = start + 2;
        const both = (first & 0x7f) | (second << 7);
        return (both >>> 1) ^ -(both & 1);
      }
    }
    this.#readVarint();
    const sign = -(this.#low & 1);
    const low = (((this.#low >>> 1) | (this.#high << 31)) ^ sign) >>> 0;
    const high = (this.#high >>> 1) ^ sign;
    return high * TWO_TO_32 + low;
  }

  readDouble(): number {
    const at = this.position;
    this.#advance(8);
    return this.#view.getFloat64(this.bytes.byteOffset + at, true);
  }

  readFloat(): number {
    const at = this.position;
    this.#advance(4);
    return this.#view.getFloat32(this.bytes.byteOffset + at, true);
  }

  /** The UTF-8 text between two places that were checked before. */
  textBetween(start: number, end: number): string {
    if (start === end) return '';
    try {
      return utf8.decode(this.bytes.subarray(start, end));
    } catch {
      throw malformed('a text that is not valid UTF-8', start);
    }
  }

  #advance(byteLength: number): void {
    if (this.end - this.position < byteLength) throw malformed('a value that is cut off', this.position);
    this.position += byteLength;
  }

  /** A varint of at most ten bytes into #low and #high (both unsigned). */
  #readVarint(): void {
    const start = this.position;
    const bytes = this.bytes;
    const end = Math.min(this.end, start + 10);
    let low = 0;
    let high = 0;
    for (let at = start, shift = 0; at < end; at++, shift += 7) {
      const byte = bytes[at]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        if (shift === 63 && bits > 1) break;
        this.position = at + 1;
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw malformed('a varint that is cut off or too long', start);
  }
}

function malformed(found: string, position: number): DecodeError {
  return new DecodeError('PAYLOAD_NOT_DECODABLE', `the payload is not Protobuf: ${found} at byte ${position}`);
}
