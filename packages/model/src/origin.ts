/** What many raw records share: who sent them, over which door, on which topic, and how they are to be read. */

/** The doors that raw records come through. */
export type Source = 'mqtt' | 'http' | 'connector' | 'import' | 'simulator' | 'internal';

/**
 * One object per (session, topic) at the door; a log batch holds each once. Together with the record's received time
 * and payload it means the same years later, whatever the configuration has become.
 */
export interface Origin {
  readonly organizationId: string;
  /** The device that spoke: its id, or (before it is registered) the name it gave itself. Also the partition key. */
  readonly deviceId: string;
  /** MQTT topic, HTTP route or file name. */
  readonly topic: string;
  /** How the payload is to be decoded, e.g. 'json', 'protobuf'; the names are those of codecs/src/codec.ts. */
  readonly codec: string;
  readonly source: Source;
  /** Version of the topic mappings under which the record was taken. */
  readonly mappingVersion: number;
  /** Id of the mapping that matched the topic; absent where no mapping was involved. */
  readonly mappingId?: string;
  /** Anything else that belongs to the record: dead-letter reason, original position, content type. Small. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
}
