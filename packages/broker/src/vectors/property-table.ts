/**
 * Every property of MQTT 5 (2.2.2.2) with a value, and the packets of a client that it may stand in; from it follow the
 * vectors for doubled properties, properties of another packet and identifiers that do not exist.
 */
import { text } from '../testing/harness.ts';
import { properties } from './bytes.ts';
import { hexByte, MALFORMED, type PacketVector, PROTOCOL_ERROR } from './vector.ts';

interface PropertyRow {
  readonly name: string;
  readonly hex: string;
  readonly owners: readonly string[];
}

const MESSAGE = ['will', 'PUBLISH'];
const ACKNOWLEDGEMENTS = ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'];

const PROPERTIES: readonly PropertyRow[] = [
  { name: 'payload format indicator', hex: '0101', owners: MESSAGE },
  { name: 'message expiry interval', hex: '02 0000003c', owners: MESSAGE },
  { name: 'content type', hex: `03 ${text('text/plain')}`, owners: MESSAGE },
  { name: 'response topic', hex: `08 ${text('app/answer')}`, owners: MESSAGE },
  { name: 'correlation data', hex: '09 0002 00ff', owners: MESSAGE },
  { name: 'subscription identifier', hex: '0b 01', owners: ['SUBSCRIBE'] },
  { name: 'session expiry interval', hex: '11 00000000', owners: ['CONNECT', 'DISCONNECT'] },
  { name: 'assigned client identifier', hex: `12 ${text('x')}`, owners: [] },
  { name: 'server keep alive', hex: '13 000a', owners: [] },
  { name: 'authentication method', hex: `15 ${text('SCRAM-SHA-1')}`, owners: ['CONNECT', 'AUTH'] },
  { name: 'authentication data', hex: '16 0001 61', owners: ['CONNECT', 'AUTH'] },
  { name: 'request problem information', hex: '17 01', owners: ['CONNECT'] },
  { name: 'will delay interval', hex: '18 00000000', owners: ['will'] },
  { name: 'request response information', hex: '19 01', owners: ['CONNECT'] },
  { name: 'response information', hex: `1a ${text('x')}`, owners: [] },
  { name: 'server reference', hex: `1c ${text('x')}`, owners: [] },
  { name: 'reason string', hex: `1f ${text('because')}`, owners: [...ACKNOWLEDGEMENTS, 'DISCONNECT', 'AUTH'] },
  { name: 'receive maximum', hex: '21 0005', owners: ['CONNECT'] },
  { name: 'topic alias maximum', hex: '22 0005', owners: ['CONNECT'] },
  { name: 'topic alias', hex: '23 0001', owners: ['PUBLISH'] },
  { name: 'maximum QoS', hex: '24 01', owners: [] },
  { name: 'retain available', hex: '25 01', owners: [] },
  {
    name: 'user property',
    hex: `26 ${text('key')} ${text('value')}`,
    owners: ['CONNECT', ...MESSAGE, ...ACKNOWLEDGEMENTS, 'SUBSCRIBE', 'UNSUBSCRIBE', 'DISCONNECT', 'AUTH'],
  },
  { name: 'maximum packet size', hex: '27 00010000', owners: ['CONNECT'] },
  { name: 'wildcard subscription available', hex: '28 01', owners: [] },
  { name: 'subscription identifiers available', hex: '29 01', owners: [] },
  { name: 'shared subscription available', hex: '2a 01', owners: [] },
];

/** Identifiers that stand for nothing; the last is longer than it needs to be. */
const UNKNOWN = ['00', '04', '0a', '14', '2b', '7f', '8001', 'ff7f', '8100'];

export interface PropertyOwner {
  readonly name: string;
  readonly sent: 'first' | 'connected';
  /** The packet with this property block. */
  packet(block: string): string;
  /** What comes back where the properties are allowed. */
  readonly accepted: string;
  refused(reasonCode: number): string;
  /** Answers that are not what follows from the table, by the name of the property. */
  readonly exceptions?: Readonly<Record<string, string>>;
}

/** The vectors about the property block of one packet. */
export function propertyVectors(owner: PropertyOwner): PacketVector[] {
  const vector = (clause: string, name: string, block: string, answer: string): PacketVector => ({
    clause,
    name: `${owner.name}: ${name}`,
    version: 5,
    sent: owner.sent,
    bytes: owner.packet(block),
    answer: owner.exceptions?.[name] ?? answer,
  });
  const malformed = owner.refused(MALFORMED);
  const rows = PROPERTIES.flatMap(({ name, hex, owners }) => {
    const block = properties(hex);
    if (!owners.includes(owner.name)) return [vector('2.2.2.2', `${name} in the wrong packet`, block, malformed)];
    const twice = name === 'user property' ? owner.accepted : owner.refused(PROTOCOL_ERROR);
    return [
      vector('2.2.2.2', name, block, owner.accepted),
      vector('2.2.2.2', `${name} twice`, properties(hex, hex), twice),
      vector('2.2.2.1', `${name} reaches beyond the property length`, shortened(hex), malformed),
    ];
  });
  return [
    ...rows,
    ...UNKNOWN.map((id) =>
      vector('2.2.2.2', `property ${hexByte(Number.parseInt(id, 16))}`, properties(id, '00'), malformed),
    ),
    vector('2.2.2.1', 'property length longer than the packet', 'ff7f', malformed),
    vector('MQTT-1.5.5-1', 'property length in more bytes than it needs', '8000', malformed),
    vector('1.5.5', 'property length of five bytes', '8080808001', malformed),
  ];
}

/** A block whose length is one too small for its last property. */
function shortened(hex: string): string {
  const block = properties(hex);
  const length = Number.parseInt(block.slice(0, 2), 16) - 1;
  return length.toString(16).padStart(2, '0') + block.slice(2);
}
