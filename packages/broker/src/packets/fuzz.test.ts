/** No bytes make a decoder throw anything but a ProtocolError, or hang. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ProtocolVersion } from '../message.ts';
import { FrameReader } from './frame.ts';
import { ProtocolError } from './protocol-error.ts';
import { decodePacket } from './testing.ts';

function survives(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    expect(error.reasonCode).toBeGreaterThanOrEqual(0x80);
  }
}

/** Fragments that occur in real packets, so that random bytes get beyond the first check. */
const fragment = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc
    .constantFrom(
      '00044d515454',
      '05',
      '04',
      '00',
      '0001',
      '000161',
      '026100',
      '26000161000162',
      '0b01',
      '230001',
      '11ffffffff',
      '1f0000',
      '80',
      '8001',
    )
    .map((hex) => Buffer.from(hex, 'hex')),
);
const bodies = fc.array(fragment, { maxLength: 12 }).map((parts) => Buffer.concat(parts));
const firstBytes = fc.constantFrom(0x10, 0x30, 0x32, 0x34, 0x3d, 0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0, 0xf0);

test('decoders', () => {
  fc.assert(
    fc.property(firstBytes, bodies, fc.constantFrom<ProtocolVersion>(4, 5), (firstByte, body, version) => {
      survives(() => decodePacket(firstByte, body, 0, body.length, version));
    }),
    { numRuns: 20_000 },
  );
});

test('the whole way from bytes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }),
      fc.constantFrom<ProtocolVersion>(4, 5),
      (chunks, version) => {
        const reader = new FrameReader(
          { onFrame: (firstByte, buffer, start, end) => decodePacket(firstByte, buffer, start, end, version) },
          500,
        );
        survives(() => {
          for (const chunk of chunks) reader.push(Buffer.from(chunk));
        });
        expect(reader.bufferedBytes).toBeLessThanOrEqual(500);
      },
    ),
    { numRuns: 5_000 },
  );
});
