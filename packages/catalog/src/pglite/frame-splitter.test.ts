import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FrameSplitter } from './frame-splitter.ts';

function message(type: string, body: number): Buffer {
  const header = type === '' ? 0 : 1;
  const bytes = Buffer.alloc(header + 4 + body, 0x53);
  if (header === 1) bytes.write(type, 0, 'latin1');
  bytes.writeUInt32BE(4 + body, header);
  return bytes;
}

it('gives whole requests however the bytes are cut', () => {
  const requests = [[''], ['P', 'B', 'D', 'E', 'S'], ['Q'], ['P', 'H'], ['S'], ['X']].map((types) =>
    Buffer.concat(types.map((type, i) => message(type, (i * 7) % 23))),
  );
  const all = Buffer.concat(requests);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sizes) => {
      const splitter = new FrameSplitter();
      const seen: Uint8Array[] = [];
      for (let at = 0, i = 0; at < all.length; i++) {
        const end = at + sizes[i % sizes.length]!;
        seen.push(...splitter.push(new Uint8Array(all.subarray(at, end))));
        at = end;
      }
      expect(seen.map((request) => Buffer.from(request))).toEqual(requests);
    }),
  );
});

it('keeps an unfinished request until its end comes', () => {
  const splitter = new FrameSplitter();
  expect(splitter.push(message('', 3)).length).toBe(1);
  expect(splitter.push(message('P', 5))).toEqual([]);
  expect(splitter.push(message('S', 0)).map((request) => request.byteLength)).toEqual([10 + 5]);
});
