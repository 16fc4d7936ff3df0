/** Cuts a stream of the wire protocol's client half into whole requests. Pure. PostgreSQL 18, 54.7: message formats. */

const SYNC = 0x53;
const QUERY = 0x51;
const FLUSH = 0x48;
const TERMINATE = 0x58;

export class FrameSplitter {
  #buffer: Uint8Array = new Uint8Array(0);
  #started = false;

  /** Takes a chunk; gives the requests that are whole now, each ending with a message that the server answers. */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#buffer = this.#buffer.byteLength === 0 ? chunk : concat(this.#buffer, chunk);
    const requests: Uint8Array[] = [];
    const view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.byteLength);
    let start = 0;
    let at = 0;
    while (at < view.byteLength) {
      const header = this.#started ? 1 : 0;
      if (at + header + 4 > view.byteLength) break;
      const end = at + header + view.getUint32(at + header);
      if (end > view.byteLength) break;
      const answered = !this.#started || isAnswered(view.getUint8(at));
      this.#started = true;
      at = end;
      if (answered) {
        requests.push(this.#buffer.subarray(start, end));
        start = end;
      }
    }
    this.#buffer = this.#buffer.subarray(start);
    return requests;
  }
}

function isAnswered(type: number): boolean {
  return type === SYNC || type === QUERY || type === FLUSH || type === TERMINATE;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.byteLength + b.byteLength);
  all.set(a);
  all.set(b, a.byteLength);
  return all;
}
