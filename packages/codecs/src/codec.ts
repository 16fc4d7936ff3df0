/**
 * A codec turns the payload of one raw record into samples. It is pure: no clock, no I/O, no state between payloads.
 * Whatever the bytes are, it throws nothing but DecodeError, ends in time proportional to their length, and stays within
 * the limits. When it throws, whoever called it takes back what the payload had already added (DecodedBatch.truncate).
 */
import type { DecodedBatch } from './decoded-batch.ts';

/** A subset of the error codes in kit/errors.ts. */
export type DecodeErrorCode =
  | 'PAYLOAD_EMPTY'
  | 'PAYLOAD_NOT_DECODABLE'
  | 'PAYLOAD_WRONG_SHAPE'
  | 'PAYLOAD_OVER_LIMIT'
  | 'VALUE_NOT_ACCEPTED'
  | 'METRIC_KEY_INVALID'
  | 'TIME_INVALID';

/** Why a payload, or one metric of it, cannot become samples. The message names the place and what stands there. */
export class DecodeError extends Error {
  readonly code: DecodeErrorCode;

  constructor(code: DecodeErrorCode, message: string) {
    super(message);
    this.name = 'DecodeError';
    this.code = code;
  }
}

export interface DecodeLimits {
  readonly payloadBytesMax: number;
  readonly samplesMax: number;
  readonly metricKeyLengthMax: number;
  readonly textLengthMax: number;
  readonly depthMax: number;
}

export const DEFAULT_DECODE_LIMITS: DecodeLimits = {
  payloadBytesMax: 1024 * 1024,
  samplesMax: 20_000,
  metricKeyLengthMax: 256,
  textLengthMax: 4096,
  depthMax: 32,
};

export interface Codec {
  /** The name under which mappings and raw records call it, e.g. 'json'. Never given another meaning. */
  readonly id: string;
  /**
   * Adds the payload's samples to `into`. A single metric that cannot be accepted (null, NaN, nested object …) is told by
   * into.reject() and the others go on; a payload that is wrong as a whole throws DecodeError.
   */
  decode(payload: Uint8Array, into: DecodedBatch, limits: DecodeLimits): void;
}
