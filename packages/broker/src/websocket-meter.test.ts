/** What is there of a message that is not complete, whatever the frames and wherever the reads end. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WebSocketMeter } from './websocket-meter.ts';

interface Frame {
  readonly isControl: boolean;
  readonly isFinal: boolean;
  readonly bytes: Buffer;
}

const frames: fc.Arbitrary<Frame> = fc
  .tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.oneof(fc.nat(200), fc.constantFrom(125, 126, 65_535, 65_536)))
  .map(([isControl, isFinal, isMasked, size]) => {
    const length = isControl ? Math.min(size, 125) : size;
    const mask = isMasked ? 0x80 : 0;
    const header = [(isControl || isFinal ? 0x80 : 0) | (isControl ? 9 : 2)];
    if (length < 126) header.push(mask | length);
    else if (length < 65_536) header.push(mask | 126, length >> 8, length & 255);
    else header.push(mask | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255);
    return {
      isControl,
      isFinal,
      bytes: Buffer.alloc(header.length + (isMasked ? 4 : 0) + length, 0xff).fill(
        Buffer.from(header),
        0,
        header.length,
      ),
    };
  });

/** Of the message that is not complete when so many bytes have come. */
function unfinished(sent: readonly Frame[], byteCount: number): number {
  let fragments = 0;
  let left = byteCount;
  for (const { isControl, isFinal, bytes } of sent) {
    if (bytes.length > left) return fragments + left;
    left -= bytes.length;
    if (!isControl) fragments = isFinal ? 0 : fragments + bytes.length;
  }
  return fragments;
}

test('bytes of the message that is not complete', () => {
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 40_000 })), (sent, reads) => {
      const meter = new WebSocketMeter();
      const bytes = Buffer.concat(sent.map((frame) => frame.bytes));
      let position = 0;
      for (const size of [...reads, bytes.length]) {
        meter.take(bytes.subarray(position, position + size));
        position = Math.min(bytes.length, position + size);
        const expected = unfinished(sent, position);
        expect(meter.byteLength).toBe(expected);
        expect(meter.heldBytes > expected).toBe(expected > 0);
      }
    }),
  );
});

test('a message in many small pieces counts for more than its bytes', () => {
  const fragments = new WebSocketMeter();
  for (let count = 0; count < 100; count++) fragments.take(Buffer.from([0x02, 0x81, 0, 0, 0, 0, 1]));
  expect(fragments.heldBytes).toBeGreaterThan(100 * 256);
  const reads = new WebSocketMeter();
  reads.take(Buffer.from([0x82, 0xfe, 0x10, 0x00, 0, 0, 0, 0]));
  for (let count = 0; count < 100; count++) reads.take(Buffer.from([1]));
  expect(reads.heldBytes).toBeGreaterThan(100 * 256);
});
