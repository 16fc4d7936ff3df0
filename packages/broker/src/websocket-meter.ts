/**
 * How much of a WebSocket message is there while its rest is still to come, read from the frame headers that pass by (RFC
 * 6455, 5.2), since whoever gathers messages does not tell. In: what the socket brings. Judges nothing: what is malformed is
 * refused by whoever gathers.
 *
 *   FIN, opcode (1) | mask, length (1) | longer length (0, 2 or 8) | mask (0 or 4) | payload
 */

/** What each piece that is kept, a fragment or what one read has brought, takes beside its bytes. */
const PIECE_BYTES = 256;

export class WebSocketMeter {
  /** Of whole fragments whose message is not complete, and how many they are. */
  #fragmentBytes = 0;
  #fragmentCount = 0;
  /** Of the frame that is not complete, and how many reads have brought it. */
  #frameBytes = 0;
  #readCount = 0;
  #headerBytes = 0;
  #isFinal = false;
  #isControl = false;
  #isMasked = false;
  #longerLengthBytes = 0;
  #length = 0;
  #payloadBytesLeft = 0;

  /** Bytes on the wire of the message that is not complete. */
  get byteLength(): number {
    return this.#fragmentBytes + this.#frameBytes;
  }

  /** The same as it is held in memory, in its pieces. */
  get heldBytes(): number {
    return this.byteLength + (this.#fragmentCount + this.#readCount) * PIECE_BYTES;
  }

  take(chunk: Uint8Array): void {
    for (let position = 0; position < chunk.length; ) {
      if (this.#payloadBytesLeft === 0) {
        this.#header(chunk[position]!);
        position += 1;
        continue;
      }
      const count = Math.min(this.#payloadBytesLeft, chunk.length - position);
      this.#payloadBytesLeft -= count;
      this.#frameBytes += count;
      position += count;
      if (this.#payloadBytesLeft === 0) this.#frameDone();
    }
    if (this.#frameBytes > 0) this.#readCount += 1;
  }

  #header(byte: number): void {
    const index = this.#headerBytes;
    this.#headerBytes += 1;
    this.#frameBytes += 1;
    if (index === 0) {
      this.#isFinal = (byte & 0x80) !== 0;
      this.#isControl = (byte & 0x08) !== 0;
      return;
    }
    if (index === 1) {
      const length = byte & 0x7f;
      this.#isMasked = (byte & 0x80) !== 0;
      this.#longerLengthBytes = length === 127 ? 8 : length === 126 ? 2 : 0;
      this.#length = this.#longerLengthBytes === 0 ? length : 0;
    } else if (index < 2 + this.#longerLengthBytes) this.#length = this.#length * 256 + byte;
    if (this.#headerBytes < 2 + this.#longerLengthBytes + (this.#isMasked ? 4 : 0)) return;
    this.#headerBytes = 0;
    this.#payloadBytesLeft = this.#length;
    if (this.#length === 0) this.#frameDone();
  }

  #frameDone(): void {
    if (!this.#isControl) {
      this.#fragmentBytes = this.#isFinal ? 0 : this.#fragmentBytes + this.#frameBytes;
      this.#fragmentCount = this.#isFinal ? 0 : this.#fragmentCount + 1;
    }
    this.#frameBytes = 0;
    this.#readCount = 0;
  }
}
