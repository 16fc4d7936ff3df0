/** A live broker under random bytes, beside a well-behaved client that must not notice. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { connectClient, fromHex, HexClient, packetHex, startBroker, text } from './testing/harness.ts';

const CONNECT = fromHex(
  packetHex('10', `00044d515454 05 c2 0000 00 ${text('dev-2')} ${text('dev-2')} ${text('secret')}`),
);
const fragments = fc.oneof(
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom(
      packetHex('30', `${text('app/x')} 00 61`),
      packetHex('34', `${text('app/x')} 0001 00 61`),
      packetHex('32', `${text('v1/telemetry/org-1/dev-2')} 0001 00 61`),
      packetHex('82', `0001 00 ${text('app/#')} 02`),
      packetHex('a2', `0001 00 ${text('app/#')}`),
      '40020001 50020001 62020001 70020001',
      'c000',
    )
    .map(fromHex),
);

test('random bytes end only their own connection', async () => {
  const broker = await startBroker({ limits: { closeTimeoutMs: 200 } });
  const neighbour = await connectClient(broker, 'dev-1');
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(fragments, { minLength: 1, maxLength: 10 }), async (connects, parts) => {
      const client = new HexClient(broker.port);
      if (connects) client.socket.write(CONNECT);
      for (const part of parts) client.socket.write(part);
      const done = new Promise((resolve) => client.socket.once('close', resolve));
      client.socket.end();
      await done;
    }),
    { numRuns: 400 },
  );
  for (let i = 0; i < 20; i++) await neighbour.publishAsync('v1/telemetry/org-1/dev-1', `${i}`, { qos: 1 });
  expect(broker.records.filter((record) => record.deviceId === 'dev-1').map((record) => record.payload)).toEqual(
    Array.from({ length: 20 }, (_, i) => `${i}`),
  );
  expect(broker.broker.health()).toMatchObject({ ready: true });
  expect(broker.broker.statistics().connections).toBe(1);
  neighbour.end(true);
  await broker.broker.stop();
});
