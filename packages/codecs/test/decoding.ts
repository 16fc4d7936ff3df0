/** For this package's tests: decodes a payload and shows the batch as plain rows. */
import { type Codec, DEFAULT_DECODE_LIMITS, DecodeError, type DecodeLimits } from '../src/codec.ts';
import { DecodedBatch } from '../src/decoded-batch.ts';

export interface Row {
  metric: string;
  time: number;
  value: number | boolean | string;
  quality: number;
  unit?: string;
}

export interface Decoded {
  rows: Row[];
  rejected: string[];
}

export function bytesOf(payload: string | object): Uint8Array {
  return Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
}

export function rowsOf(batch: DecodedBatch): Row[] {
  return Array.from({ length: batch.count }, (_, row) => {
    const kind = batch.valueKind[row];
    const number = batch.value[row]!;
    const unit = batch.units.get(row);
    return {
      metric: batch.metric[row]!,
      time: batch.sourceTime[row]!,
      value: kind === 2 ? batch.texts.get(row)! : kind === 1 ? number === 1 : number,
      quality: batch.quality[row]!,
      ...(unit !== undefined && { unit }),
    };
  });
}

/** Rows, and rejections as 'metric CODE'. */
export function decoded(codec: Codec, payload: Uint8Array, limits: Partial<DecodeLimits> = {}): Decoded {
  const batch = new DecodedBatch(4);
  batch.beginRecord(0);
  codec.decode(payload, batch, { ...DEFAULT_DECODE_LIMITS, ...limits });
  return { rows: rowsOf(batch), rejected: batch.rejections.map(({ metric, code }) => `${metric} ${code}`) };
}

/** The code of the DecodeError that the payload brings; anything else that is thrown comes through. */
export function refusal(codec: Codec, payload: Uint8Array, limits: Partial<DecodeLimits> = {}): string {
  try {
    decoded(codec, payload, limits);
  } catch (error) {
    if (error instanceof DecodeError) return error.code;
    throw error;
  }
  return 'accepted';
}
