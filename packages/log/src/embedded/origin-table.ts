/**
 * The origins of a chunk as bytes and back. Two levels, since the origins of a chunk mostly differ only in device and topic:
 * a few common parts (JSON object: organisation, codec, source, mapping, attributes) and, per origin, the index of its common
 * part and a JSON array [deviceId, topic]. Both directions remember: encoding by the object's identity, decoding by the text,
 * so that equal origins come out as the identical object.
 *
 *   u32 commonEnd[commonCount] | u32 commonIndex[originCount] | u32 originEnd[originCount] | texts, UTF-8
 */
import type { Origin } from '@fieldline/model';

/** Common parts that are remembered for encoding; beyond it they are forgotten and encoded anew. */
const COMMON_PARTS_MAX = 4096;
/** Origins in a generation of the decoder's memory; two generations are kept. */
const DECODED_ORIGINS_MAX = 65_536;

interface CommonPart {
  readonly bytes: Uint8Array;
  /** Which table it was last put into, and where. */
  table: number;
  index: number;
}

interface EncodedOrigin {
  readonly common: CommonPart;
  readonly bytes: Uint8Array;
}

export interface OriginTable {
  readonly commonCount: number;
  readonly originCount: number;
  /** commonEnd, commonIndex and originEnd, end to end. */
  readonly columns: Uint32Array;
  readonly texts: Uint8Array;
}

export class OriginEncoder {
  readonly #encoded = new WeakMap<Origin, EncodedOrigin>();
  readonly #commonParts = new Map<string, CommonPart>();
  #lastTable = 0;

  encode(origins: readonly Origin[]): OriginTable {
    const table = ++this.#lastTable;
    const entries = origins.map((origin) => this.#encode(origin));
    const commons: CommonPart[] = [];
    let textLength = 0;
    for (const { common, bytes } of entries) {
      textLength += bytes.length;
      if (common.table === table) continue;
      common.table = table;
      common.index = commons.length;
      commons.push(common);
      textLength += common.bytes.length;
    }
    const columns = new Uint32Array(commons.length + 2 * entries.length);
    const texts = Buffer.allocUnsafe(textLength);
    let end = 0;
    let at = 0;
    for (const { bytes } of commons) {
      texts.set(bytes, end);
      end += bytes.length;
      columns[at++] = end;
    }
    for (const { common, bytes } of entries) {
      texts.set(bytes, end);
      end += bytes.length;
      columns[at] = common.index;
      columns[at + entries.length] = end;
      at += 1;
    }
    return { commonCount: commons.length, originCount: entries.length, columns, texts };
  }

  #encode(origin: Origin): EncodedOrigin {
    let encoded = this.#encoded.get(origin);
    if (encoded === undefined) {
      const { deviceId, topic, ...common } = origin;
      encoded = {
        common: this.#commonPart(JSON.stringify(common)),
        bytes: Buffer.from(JSON.stringify([deviceId, topic])),
      };
      this.#encoded.set(origin, encoded);
    }
    return encoded;
  }

  #commonPart(text: string): CommonPart {
    let part = this.#commonParts.get(text);
    if (part === undefined) {
      if (this.#commonParts.size >= COMMON_PARTS_MAX) this.#commonParts.clear();
      part = { bytes: Buffer.from(text), table: 0, index: 0 };
      this.#commonParts.set(text, part);
    }
    return part;
  }
}

/** Text of a common part → text of an origin → the origin. Texts are the bytes read as Latin-1: a key, not for people. */
type Generation = Map<string, Map<string, Origin>>;

export class OriginDecoder {
  #young: Generation = new Map();
  #old: Generation = new Map();
  #youngCount = 0;

  /** @param columns and texts as OriginTable has them; they come from a chunk whose checksum was right */
  decode(commonCount: number, originCount: number, columns: Uint32Array, texts: Buffer): Origin[] {
    if (this.#youngCount > DECODED_ORIGINS_MAX) this.#startGeneration();
    const keys = texts.toString('latin1');
    const maps: {
      commonStart: number;
      commonEnd: number;
      young: Map<string, Origin>;
      old: Map<string, Origin> | undefined;
    }[] = [];
    let start = 0;
    for (let i = 0; i < commonCount; i++) {
      const end = columns[i]!;
      const key = keys.slice(start, end);
      maps.push({
        commonStart: start,
        commonEnd: end,
        young: this.#youngMap(key, texts, start, end),
        old: this.#old.get(key),
      });
      start = end;
    }
    const origins = new Array<Origin>(originCount);
    for (let i = 0; i < originCount; i++) {
      const maps_ = maps[columns[commonCount + i]!]!;
      const end = columns[commonCount + originCount + i]!;
      const key = keys.slice(start, end);
      let origin = maps_.young.get(key);
      if (origin === undefined) {
        origin =
          maps_.old?.get(key) ?? parse(texts.subarray(maps_.commonStart, maps_.commonEnd), texts.subarray(start, end));
        // A copy of the key: a slice would keep the whole table's text in memory.
        maps_.young.set(texts.toString('latin1', start, end), origin);
        this.#youngCount += 1;
      }
      origins[i] = origin;
      start = end;
    }
    return origins;
  }

  #youngMap(key: string, texts: Buffer, start: number, end: number): Map<string, Origin> {
    let map = this.#young.get(key);
    if (map === undefined) {
      map = new Map();
      this.#young.set(texts.toString('latin1', start, end), map);
    }
    return map;
  }

  #startGeneration(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngCount = 0;
  }
}

type CommonFields = Omit<Origin, 'deviceId' | 'topic'>;

function parse(commonBytes: Buffer, originBytes: Buffer): Origin {
  const { organizationId, codec, source, mappingVersion, mappingId, attributes } = JSON.parse(
    commonBytes.toString(),
  ) as CommonFields;
  const [deviceId, topic] = JSON.parse(originBytes.toString()) as [string, string];
  return {
    organizationId,
    deviceId,
    topic,
    codec,
    source,
    mappingVersion,
    ...(mappingId !== undefined && { mappingId }),
    ...(attributes !== undefined && { attributes }),
  };
}
