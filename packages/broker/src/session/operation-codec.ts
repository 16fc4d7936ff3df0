/**
 * Stored operations as bytes. JSON, with byte arrays behind it: payloads stay as they are, and what is needed to read one
 * stands in it. Written by hand for messages, since they are what there are hundreds of thousands of.
 *
 *   operation: JSON length (4) | JSON | number of byte arrays (4) | per byte array: length (4) | bytes
 *   in the JSON: { "$bytes": index } for a byte array, { "$infinity": true } for Infinity, which JSON has not
 */
import type { Message } from '../message.ts';
import type { StoredOperation } from './session-store.ts';

/** A message as JSON has it; its payload and properties are the byte arrays 0 and 1. */
function messageJson({ topic, qos, retain, expiresAtMs }: Message): object {
  return {
    topic,
    qos,
    retain,
    payload: { $bytes: 0 },
    properties: { $bytes: 1 },
    expiresAtMs: expiresAtMs === Number.POSITIVE_INFINITY ? { $infinity: true } : expiresAtMs,
  };
}

export function encodeOperation(operation: StoredOperation): Buffer {
  const message = messageOf(operation);
  const json = JSON.stringify(message === null ? operation : withMessage(operation, messageJson(message)));
  return message === null ? encode(json, []) : encode(json, [message.payload, message.properties]);
}

/** The operation that begins here, and where the next one begins. Byte arrays are views: whoever keeps them copies them. */
export function decodeOperation(bytes: Buffer, start: number): { operation: StoredOperation; end: number } {
  let position = start;
  const take = (): Uint8Array => {
    const from = position + 4;
    const length = bytes.readUInt32BE(position);
    position = from + length;
    return new Uint8Array(bytes.buffer, bytes.byteOffset + from, length);
  };
  const jsonStart = position + 4;
  take();
  const operation = JSON.parse(bytes.toString('utf8', jsonStart, position)) as StoredOperation;
  const count = bytes.readUInt32BE(position);
  position += 4;
  const attachments = Array.from({ length: count }, take);
  const message = messageOf(operation) as Record<keyof Message, unknown> | null;
  if (message === null) return { operation, end: position };
  const restored = {
    ...message,
    payload: attachments[indexOf(message.payload)],
    properties: attachments[indexOf(message.properties)],
    expiresAtMs: typeof message.expiresAtMs === 'number' ? message.expiresAtMs : Number.POSITIVE_INFINITY,
  };
  return { operation: withMessage(operation, restored) as StoredOperation, end: position };
}

/** The message that an operation speaks of; null where it speaks of none. */
function messageOf(operation: StoredOperation): Message | null {
  if (operation.kind === 'queued' || operation.kind === 'retained') return operation.message;
  return operation.kind === 'session' ? (operation.will?.message ?? null) : null;
}

function withMessage(operation: StoredOperation, message: object): object {
  return operation.kind === 'session'
    ? { ...operation, will: { ...operation.will, message } }
    : { ...operation, message };
}

function indexOf(reference: unknown): number {
  return (reference as { $bytes: number }).$bytes;
}

function encode(json: string, attachments: readonly Uint8Array[]): Buffer {
  const jsonBytes = Buffer.byteLength(json);
  const length = attachments.reduce((sum, bytes) => sum + 4 + bytes.length, 8 + jsonBytes);
  const buffer = Buffer.allocUnsafe(length);
  let position = buffer.writeUInt32BE(jsonBytes, 0);
  position += buffer.write(json, position);
  position = buffer.writeUInt32BE(attachments.length, position);
  for (const bytes of attachments) {
    position = buffer.writeUInt32BE(bytes.length, position);
    buffer.set(bytes, position);
    position += bytes.length;
  }
  return buffer;
}
