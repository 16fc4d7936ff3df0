/** The codecs for payloads, by the id that topic mappings and raw records carry. An id never gets another meaning. */
import type { Codec } from './codec.ts';
import { jsonCodec } from './json.ts';
import { protobufCodec } from './protobuf.ts';
import { unsCodec } from './uns.ts';

export const CODECS: readonly Codec[] = [jsonCodec, protobufCodec, unsCodec];

const byId = new Map(CODECS.map((codec) => [codec.id, codec]));

/** The codec of that id; undefined where there is none. */
export function codecById(id: string): Codec | undefined {
  return byId.get(id);
}
