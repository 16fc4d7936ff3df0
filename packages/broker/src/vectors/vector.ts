/**
 * One line of the tables of packets: what a client sends and what the specification says must come back. Bytes and answers
 * are text, so that a table reads like the specification; run-vector.ts sends one over a socket and compares.
 */
import type { ProtocolVersion } from '../message.ts';

export interface PacketVector {
  /** Number of the statement (MQTT-3.1.2-3) or of the section (3.3.2.3.4) in the specification of that version. */
  readonly clause: string;
  readonly name: string;
  readonly version: ProtocolVersion;
  /** 'first': these are the first bytes on the socket; 'connected': a CONNECT with `connectProperties` was accepted before. */
  readonly sent: 'first' | 'connected';
  /** Properties of that CONNECT in hex, with their length; MQTT 5 alone. Default: none. */
  readonly connectProperties?: string;
  /** Hex; spaces do not count. More than one packet may be sent in one go. */
  readonly bytes: string;
  /** True where the client ends its side behind the bytes: the packet stays incomplete. */
  readonly isCutOff?: true;
  /**
   * Everything that must come back, in words, in order, e.g. 'PUBACK 1 0x10' or 'DISCONNECT 0x81, closed'; '' = nothing, and
   * the connection goes on. Where it is not closed, a message with QoS 1 that is sent behind must be acknowledged.
   */
  readonly answer: string;
}

/** A refusal of a packet after CONNECT: MQTT 5 tells the reason, MQTT 3.1.1 closes. */
export function refusal(version: ProtocolVersion, reasonCode: number): string {
  return version === 5 ? `DISCONNECT ${hexByte(reasonCode)}, closed` : 'closed';
}

/** The numbers of a statement in MQTT 5 and in MQTT 3.1.1. */
export function clauseOf(version: ProtocolVersion, in5: string, in311: string): string {
  return version === 5 ? in5 : in311;
}

export function hexByte(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}

export const MALFORMED = 0x81;
export const PROTOCOL_ERROR = 0x82;
export const BOTH: readonly ProtocolVersion[] = [4, 5];
