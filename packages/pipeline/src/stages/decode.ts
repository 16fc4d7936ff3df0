/**
 * decode: raw payloads → samples with metric names, by the codec that the route of each record names. A payload that is wrong as a whole
 * takes back what it had added and becomes a failure; metrics that the codec rejects become rejections. Records whose
 * origin leads nowhere fail here, before their payload is looked at.
 */
import { type Codec, codecById, DecodeError, type DecodeLimits } from '@fieldline/codecs';
import { messageOf } from '@fieldline/kit';
import { payloadOf } from '@fieldline/model';
import type { Work } from '../work.ts';

/**
 * A slice ends behind the record that fills it: what a batch of small, dense payloads unfolds to stays bounded, and other work
 * of the thread gets its turn in between.
 */
export const SLICE_SAMPLES = 16_384;
export const SLICE_RECORDS = 4096;

export type CodecLookup = (id: string) => Codec | undefined;

export function decode(work: Work, limits: DecodeLimits, codecOf: CodecLookup = codecById): void {
  const { batch, decoded, routes } = work;
  let codecId = '';
  let codec: Codec | undefined;
  const end = Math.min(batch.count, work.from + SLICE_RECORDS);
  let index = work.from;
  for (; index < end && decoded.count < SLICE_SAMPLES; index++) {
    const originIndex = batch.originIndex[index]!;
    const { failure, codec: id } = routes[originIndex]!;
    if (failure !== null) {
      work.failures.push({ recordIndex: index, ...failure });
      continue;
    }
    if (id !== codecId) {
      codecId = id;
      codec = codecOf(codecId);
    }
    if (codec === undefined) {
      const message = `there is no codec "${codecId}"; the mapping of topic ${batch.origins[originIndex]!.topic} names it`;
      work.failures.push({ recordIndex: index, code: 'CODEC_UNKNOWN', message });
    } else decodeRecord(work, index, codec, limits);
  }
  work.to = index;
  for (const { recordIndex, metric, code, message } of decoded.rejections) {
    work.rejections.push({ recordIndex, metric, code, message });
  }
}

function decodeRecord(work: Work, index: number, codec: Codec, limits: DecodeLimits): void {
  const { decoded } = work;
  const before = decoded.count;
  decoded.beginRecord(index);
  try {
    codec.decode(payloadOf(work.batch, index), decoded, limits);
  } catch (error) {
    decoded.truncate(before);
    const { code, message } =
      error instanceof DecodeError
        ? error
        : // A bug in the codec. One payload that meets it must not hold up all those behind it.
          ({ code: 'INTERNAL', message: `codec ${codec.id} failed: ${messageOf(error)}` } as const);
    work.failures.push({ recordIndex: index, code, message });
  }
}
