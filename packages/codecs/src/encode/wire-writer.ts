/** Writes the Protobuf wire format into memory that grows by doubling; see wire-reader.ts for the form. */
export class WireWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** What was written, as a copy. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  unsignedField(field: number, value: number): void {
    this.#tag(field, 0);
    this.#varint(value);
  }

  doubleField(field: number, value: number): void {
    this.#tag(field, 1);
    this.#double(value);
  }

  textField(field: number, text: string): void {
    this.bytesField(field, Buffer.from(text));
  }

  bytesField(field: number, bytes: Uint8Array): void {
    this.#tag(field, 2);
    this.#varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A message inside this one, or packed numbers: `write` fills a writer of its own. */
  nestedField(field: number, write: (writer: WireWriter) => void): void {
    const nested = new WireWriter();
    write(nested);
    this.bytesField(field, nested.#bytes.subarray(0, nested.#length));
  }

  packedDoubles(field: number, values: ArrayLike<number>): void {
    this.#tag(field, 2);
    this.#varint(values.length * 8);
    for (let index = 0; index < values.length; index++) this.#double(values[index]!);
  }

  packedFloats(field: number, values: ArrayLike<number>): void {
    this.#tag(field, 2);
    this.#varint(values.length * 4);
    for (let index = 0; index < values.length; index++) {
      this.#reserve(4);
      this.#view.setFloat32(this.#length, values[index]!, true);
      this.#length += 4;
    }
  }

  /** sint64: safe integers only. */
  packedZigzag(field: number, values: ArrayLike<number>): void {
    this.nestedField(field, (writer) => {
      for (let index = 0; index < values.length; index++) writer.#zigzag(values[index]!);
    });
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  #double(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  #zigzag(value: number): void {
    // 2·|value| may leave the safe integers by one bit: halves are written apart.
    const magnitude = value < 0 ? -(value + 1) : value;
    const low = (magnitude % 64) * 2 + (value < 0 ? 1 : 0);
    const rest = Math.floor(magnitude / 64);
    this.#reserve(10);
    if (rest === 0) {
      this.#bytes[this.#length++] = low;
      return;
    }
    this.#bytes[this.#length++] = low | 0x80;
    this.#varint(rest);
  }

  #varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  #reserve(byteLength: number): void {
    if (this.#length + byteLength <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + byteLength));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
