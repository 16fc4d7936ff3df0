/** The least of a WebSocket client (RFC 6455) that a crowd needs: the request to upgrade, frames to send, bytes out of frames. */

export function upgradeRequest(host: string, port: number): string {
  return [
    'GET /mqtt HTTP/1.1',
    `Host: ${host}:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: Y3Jvd2QtY3Jvd2QtY3Jvdw==',
    'Sec-WebSocket-Protocol: mqtt',
    '\r\n',
  ].join('\r\n');
}

/** One binary message, under a mask of zeros, so that the bytes stay as they are. Up to 64 KiB. */
export function binaryFrame(payload: Buffer): Buffer {
  const { length } = payload;
  const head = length < 126 ? [0x82, 0x80 | length] : [0x82, 0x80 | 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload]);
}

/** Takes what the server sends: first the answer to the request, then frames. */
export class FrameBytes {
  readonly #opened: () => void;
  readonly #payload: (bytes: Buffer) => void;
  #isOpen = false;
  #rest: Buffer = Buffer.alloc(0);

  constructor(opened: () => void, payload: (bytes: Buffer) => void) {
    this.#opened = opened;
    this.#payload = payload;
  }

  take(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#isOpen) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#rest = Buffer.from(bytes);
        return;
      }
      if (!bytes.subarray(0, end).toString().startsWith('HTTP/1.1 101')) throw new Error('the upgrade was refused');
      this.#isOpen = true;
      bytes = bytes.subarray(end + 4);
      this.#opened();
    }
    for (let frame = readFrame(bytes); frame !== null; frame = readFrame(bytes)) {
      // Data alone: what else a server says (ping, close) needs no answer here.
      if (frame.opcode <= 2) this.#payload(frame.payload);
      bytes = bytes.subarray(frame.end);
    }
    this.#rest = Buffer.from(bytes);
  }
}

/** null = it is not complete. A server's frames have no mask. */
function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; end: number } | null {
  if (bytes.length < 2) return null;
  const short = bytes[1]! & 127;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return null;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < start + length) return null;
  return { opcode: bytes[0]! & 15, payload: bytes.subarray(start, start + length), end: start + length };
}
