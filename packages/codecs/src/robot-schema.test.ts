/** The contract of proto/fieldline/v1/robot.proto: field numbers that are in use keep their meaning. */
import { fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { describe, expect, it } from 'vitest';
import {
  BlobReferenceSchema,
  MissionCommandSchema,
  MissionStatusSchema,
  RobotEventSchema,
} from './generated/fieldline/v1/robot_pb.js';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** Bytes as robots in the field send them, and what they mean. */
const KEPT: readonly (readonly [string, GenMessage<Message>, string, object])[] = [
  [
    'RobotEvent',
    RobotEventSchema,
    '0a0165 10e807 1a0453544f50 2004 2a0168 32016d 3a09 09000000000000f03f 4206 0a016b 120176',
    { eventId: 'e', timeUs: 1000n, type: 'STOP', severity: 4, message: 'h', missionId: 'm', attributes: { k: 'v' } },
  ],
  [
    'BlobReference',
    BlobReferenceSchema,
    '0a0162 10e807 1a0175 220969 6d6167652f6a7067 28ac02 3202aabb 3a016d 420170',
    {
      blobId: 'b',
      timeUs: 1000n,
      uri: 'u',
      mediaType: 'image/jpg',
      byteLength: 300n,
      missionId: 'm',
      inspectionPointId: 'p',
    },
  ],
  [
    'MissionCommand',
    MissionCommandSchema,
    '0a0163 12016d 1801 2206 0a0170 1a0174 28e807',
    { commandId: 'c', missionId: 'm', action: 1, validUntilUs: 1000n },
  ],
  [
    'MissionStatus',
    MissionStatusSchema,
    '0a016d 10e807 1803 220163 29000000000000e03f 320170 420172',
    { missionId: 'm', timeUs: 1000n, state: 3, commandId: 'c', progress: 0.5, inspectionPointId: 'p', reason: 'r' },
  ],
];

describe('robot messages', () => {
  for (const [name, schema, bytes, meaning] of KEPT) {
    it(name, () => {
      const message = fromBinary(schema, hex(bytes));
      expect(message).toMatchObject(meaning);
      expect(Buffer.from(toBinary(schema, message)).toString('hex')).toBe(bytes.replaceAll(' ', ''));
      expect(message.$unknown ?? []).toEqual([]);
    });
  }
});
