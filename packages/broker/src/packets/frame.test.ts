import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex } from '../testing/harness.ts';
import { FrameReader } from './frame.ts';
import { outcome } from './testing.ts';

/** The frames that come out of these chunks, as hex with '|' between first byte and body. */
function frames(chunks: readonly Buffer[], packetBytesMax = 1000): string[] {
  const found: string[] = [];
  const reader = new FrameReader(
    {
      onFrame: (firstByte, buffer, start, end) =>
        found.push(`${firstByte.toString(16)}|${buffer.toString('hex', start, end)}`),
    },
    packetBytesMax,
  );
  for (const chunk of chunks) reader.push(chunk);
  return found;
}

describe('refused before anything is buffered', () => {
  test.each([
    ['type 0', '00', '0x81'],
    ['CONNACK', '20', '0x82'],
    ['PINGRESP', 'd0', '0x82'],
    ['CONNECT with flags', '11', '0x81'],
    ['SUBSCRIBE without flags', '80', '0x81'],
    ['PUBREL without flags', '60', '0x81'],
    ['remaining length of five bytes', '30 ffffffff', '0x81'],
    ['remaining length longer than it needs to be', '30 8000', '0x81'],
    ['too large', '30 e907', '0x95'],
  ])('%s', (_, hex, reason) => expect(outcome(() => frames([fromHex(hex)]))).toBe(`refused ${reason}`));
});

test('the largest packet that is allowed is taken', () => {
  const packet = Buffer.concat([fromHex('30 e507'), Buffer.alloc(997)]); // 1000 bytes
  expect(frames([packet])).toHaveLength(1);
});

test('any cutting into chunks gives the same packets', () => {
  const body = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(
      fc.array(body, { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
      (bodies, sizes) => {
        const stream = Buffer.concat(
          bodies.map((bytes) => {
            const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
            return Buffer.concat([Buffer.from([0x30, ...length]), bytes]);
          }),
        );
        const chunks: Buffer[] = [];
        for (let position = 0; position < stream.length; ) {
          const size = sizes.next().value as number;
          chunks.push(stream.subarray(position, position + size));
          position += size;
        }
        expect(frames(chunks)).toEqual(bodies.map((bytes) => `30|${Buffer.from(bytes).toString('hex')}`));
      },
    ),
  );
});

test('hold() keeps what comes, release() goes on', () => {
  const found: number[] = [];
  const reader = new FrameReader(
    {
      onFrame: (firstByte) => {
        found.push(firstByte);
        if (firstByte === 0x10) reader.hold();
      },
    },
    1000,
  );
  reader.push(fromHex('1000 c000 30'));
  reader.push(fromHex('00 c000'));
  expect(found).toEqual([0x10]);
  reader.release();
  expect(found).toEqual([0x10, 0xc0, 0x30, 0xc0]);
});

test('a header that claims much allocates little', () => {
  const reader = new FrameReader({ onFrame: () => {} }, 200_000_000);
  const before = process.memoryUsage().arrayBuffers;
  reader.push(fromHex('30 ffffff4f 00'));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000);
  expect(reader.bufferedBytes).toBe(6);
});
