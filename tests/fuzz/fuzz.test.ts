/** Seconds of what `npm run scorecard -- 4 --long` does for minutes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { brokerTarget, FuzzedBroker } from './broker-target.ts';
import { DECODER_TARGETS } from './decoder-targets.ts';
import { type FuzzTarget, fuzz } from './fuzz.ts';

const SEED = Number(process.env.TEST_SEED);

describe(`seed ${SEED}`, () => {
  test.each(DECODER_TARGETS)(
    '$name: bytes that reach ever new code make it throw nothing but its own error',
    async (target) => {
      const result = await fuzz(target, SEED, 1_000);
      expect(result.failures).toEqual([]);
      expect(result.seedCharacters).toBeGreaterThan(1_000);
    },
  );

  describe('broker', () => {
    let broker: FuzzedBroker;
    beforeAll(async () => {
      broker = await FuzzedBroker.start();
    });
    afterAll(() => broker.stop());

    test('hostile connections end, and the well-behaved client beside them loses nothing', async () => {
      const { failures } = await fuzz(brokerTarget(broker), SEED, 3_000);
      expect(failures).toEqual([]);
      expect(broker.bugs).toEqual([]);
      const { sent, lost } = await broker.account();
      expect(sent).toBeGreaterThan(100);
      expect(lost).toBe(0);
    });
  });
});

test('what is hidden behind a few bytes is found', async () => {
  const target: FuzzTarget = {
    name: 'lock',
    watched: /\/tests\/fuzz\/fuzz\.test\.ts/,
    seeds: [Buffer.from('abcd')],
    inputBytesMax: 16,
    batchSize: 100,
    run: unlock,
  };
  const { failures, kept } = await fuzz(target, SEED, 20_000);
  expect(kept.length).toBeGreaterThan(1);
  expect(failures[0]).toMatch(/the lock is open/);
});

/** Cannot be opened but step by step: each byte that is right runs one more line. */
function unlock(input: Buffer): void {
  if (input[0] !== 0xf4) return;
  if (input[1] !== 0x81) return;
  if (input[2] !== 0x5c) return;
  throw new Error('the lock is open');
}
