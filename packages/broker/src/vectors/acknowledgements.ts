/** PUBACK, PUBREC, PUBREL, PUBCOMP from a client (3.4 to 3.7): packet id, reason code, properties, ids that nobody knows. */
import type { ProtocolVersion } from '../message.ts';
import { text } from '../testing/harness.ts';
import { packet, prefixed, properties } from './bytes.ts';
import { propertyVectors } from './property-table.ts';
import { BAD_STRINGS, stringClause } from './strings.ts';
import { BOTH, clauseOf, hexByte, MALFORMED, type PacketVector, PROTOCOL_ERROR, refusal } from './vector.ts';

interface Kind {
  readonly name: string;
  readonly section: string;
  readonly firstByte: string;
  /** Those that it may have in MQTT 5. */
  readonly reasonCodes: readonly number[];
  /** What answers packet id 9, which nobody knows. */
  answer(version: ProtocolVersion, reasonCode: number): string;
}

const RECEIVED = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const RELEASED = [0x00, 0x92];

const KINDS: readonly Kind[] = [
  { name: 'PUBACK', section: '3.4', firstByte: '40', reasonCodes: RECEIVED, answer: () => '' },
  {
    name: 'PUBREC',
    section: '3.5',
    firstByte: '50',
    reasonCodes: RECEIVED,
    // A reason of 0x80 or more ends the exchange: nothing is released.
    answer: (version, reasonCode) => (version === 4 ? 'PUBREL 9' : reasonCode < 0x80 ? 'PUBREL 9 0x92' : ''),
  },
  {
    name: 'PUBREL',
    section: '3.6',
    firstByte: '62',
    reasonCodes: RELEASED,
    answer: (version) => (version === 4 ? 'PUBCOMP 9' : 'PUBCOMP 9 0x92'),
  },
  { name: 'PUBCOMP', section: '3.7', firstByte: '70', reasonCodes: RELEASED, answer: () => '' },
];

function vectorsOf(kind: Kind): PacketVector[] {
  const { name, section, firstByte, reasonCodes } = kind;
  const vector = (
    version: ProtocolVersion,
    clause: string,
    what: string,
    bytes: string,
    answer: string,
  ): PacketVector => ({
    version,
    sent: 'connected',
    clause,
    name: `${name}: ${what}`,
    bytes,
    answer,
  });
  const otherFlags = Array.from({ length: 16 }, (_, flags) => firstByte[0] + flags.toString(16)).filter(
    (byte) => byte !== firstByte,
  );
  const both = BOTH.flatMap((version) => [
    vector(
      version,
      `${section}.2`,
      'a packet id that nobody knows',
      packet(firstByte, '0009'),
      kind.answer(version, 0),
    ),
    vector(
      version,
      clauseOf(version, 'MQTT-2.2.1-5', 'MQTT-2.3.1-6'),
      'packet id 0',
      packet(firstByte, '0000'),
      refusal(version, PROTOCOL_ERROR),
    ),
    vector(version, `${section}.2`, 'no packet id', packet(firstByte), refusal(version, MALFORMED)),
    vector(version, `${section}.2`, 'half a packet id', packet(firstByte, '00'), refusal(version, MALFORMED)),
    ...otherFlags.map((byte) =>
      vector(
        version,
        name === 'PUBREL' ? 'MQTT-3.6.1-1' : clauseOf(version, 'MQTT-2.1.3-1', 'MQTT-2.2.2-2'),
        `flags ${byte[1]}`,
        packet(byte, '0009'),
        refusal(version, MALFORMED),
      ),
    ),
  ]);
  const unknown = [0x01, 0x11, 0x7f, 0x81, 0x82, 0x92, 0x9f, 0xff].filter((code) => !reasonCodes.includes(code));
  return [
    ...both,
    vector(4, `${section}.1`, 'a reason code in MQTT 3.1.1', packet(firstByte, '0009 00'), 'closed'),
    ...reasonCodes.map((code) =>
      vector(
        5,
        `${section}.2.1`,
        `reason ${hexByte(code)}`,
        packet(firstByte, '0009', hexByte(code).slice(2)),
        kind.answer(5, code),
      ),
    ),
    ...unknown.map((code) =>
      vector(
        5,
        `MQTT-${section}.2-1`,
        `reason ${hexByte(code)}, which it does not have`,
        packet(firstByte, '0009', hexByte(code).slice(2)),
        refusal(5, PROTOCOL_ERROR),
      ),
    ),
    vector(5, `${section}.2.2`, 'no properties', packet(firstByte, '0009 00 00'), kind.answer(5, 0)),
    vector(
      5,
      `${section}.2.2`,
      'bytes behind the properties',
      packet(firstByte, '0009 00 00 00'),
      refusal(5, MALFORMED),
    ),
    ...BAD_STRINGS.map(([bad, hex]) =>
      vector(
        5,
        stringClause(bad, 5),
        `reason string with ${bad}`,
        packet(firstByte, '0009 00', properties('1f', prefixed(hex))),
        refusal(5, MALFORMED),
      ),
    ),
    vector(
      5,
      `${section}.2.2.3`,
      'user property without a value',
      packet(firstByte, '0009 00', properties('26', text('k'))),
      refusal(5, MALFORMED),
    ),
    ...propertyVectors({
      name,
      sent: 'connected',
      packet: (block) => packet(firstByte, '0009 00', block),
      accepted: kind.answer(5, 0),
      refused: (reasonCode) => refusal(5, reasonCode),
    }),
  ];
}

export const ACKNOWLEDGEMENT_VECTORS: readonly PacketVector[] = KINDS.flatMap(vectorsOf);
