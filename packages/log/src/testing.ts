/** Records for the tests of logs: each payload carries its own identity and checksum, so that a wrong one is noticed. */
import { crc32 } from 'node:zlib';
import { type LoggedBatch, type Origin, payloadOf, type RawBatch, RawBatchBuilder } from '@fieldline/model';
import type { Log, LogReader, ReadOptions, TopicName } from './log.ts';

/** One object per device, as the doors make them. */
export class TestOrigins {
  readonly #origins = new Map<string, Origin>();

  of(deviceId: string): Origin {
    let origin = this.#origins.get(deviceId);
    if (origin === undefined) {
      origin = {
        organizationId: 'org-ä',
        deviceId,
        topic: `v1/telemetry/org-ä/${deviceId}`,
        codec: 'json',
        source: 'mqtt',
        mappingVersion: 3,
        mappingId: 'mapping-1',
      };
      this.#origins.set(deviceId, origin);
    }
    return origin;
  }
}

export interface TestRecord {
  readonly deviceId: string;
  readonly sequence: number;
  readonly receivedTime: number;
}

/** The payload "deviceId:sequence:filler:checksum". */
export function testPayload({ deviceId, sequence }: TestRecord, fillerLength = 40): Uint8Array {
  const text = `${deviceId}:${sequence}:${'x'.repeat(fillerLength)}`;
  return Buffer.from(`${text}:${crc32(text)}`);
}

export function testBatch(origins: TestOrigins, records: readonly TestRecord[], fillerLength?: number): RawBatch {
  const builder = new RawBatchBuilder(Math.max(1, records.length), 1024);
  for (const record of records) {
    builder.add(origins.of(record.deviceId), record.receivedTime, testPayload(record, fillerLength));
  }
  return builder.take();
}

/** Numbered records, spread over some devices. */
export function testRecords(from: number, count: number, deviceCount = 5, timeStep = 1000): TestRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const sequence = from + i;
    return { deviceId: `device-${sequence % deviceCount}`, sequence, receivedTime: 1_000_000 + sequence * timeStep };
  });
}

/** The records of a batch; throws where a payload, an origin or a time is not what was appended. */
export function recordsOf(batch: LoggedBatch): (TestRecord & { readonly position: number })[] {
  return Array.from({ length: batch.count }, (_, i) => {
    const text = Buffer.from(payloadOf(batch, i)).toString();
    const end = text.lastIndexOf(':');
    const [deviceId = '', sequence] = text.split(':');
    const origin = batch.origins[batch.originIndex[i]!];
    const isRight =
      String(crc32(text.slice(0, end))) === text.slice(end + 1) &&
      origin?.deviceId === deviceId &&
      origin.topic === `v1/telemetry/org-ä/${deviceId}`;
    if (!isRight) throw new Error(`a wrong record was given out at ${batch.firstPosition + i}: ${text.slice(0, 100)}`);
    return {
      deviceId,
      sequence: Number(sequence),
      receivedTime: batch.receivedTime[i]!,
      position: batch.firstPosition + i,
    };
  });
}

/** Everything in a partition from a position on. */
export async function readAll(
  log: Log | LogReader,
  topic: TopicName,
  partition = 0,
  from = 0,
  options: ReadOptions = {},
): Promise<(TestRecord & { readonly position: number })[]> {
  const all: (TestRecord & { readonly position: number })[] = [];
  let next = from;
  for (;;) {
    const batch = await log.read(topic, partition, next, options);
    if (batch === null) return all;
    if (batch.firstPosition < next) throw new Error(`asked for ${next}, got ${batch.firstPosition}`);
    all.push(...recordsOf(batch));
    next = batch.firstPosition + batch.count;
  }
}
