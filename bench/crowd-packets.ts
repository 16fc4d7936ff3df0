/** Packets of MQTT 3.1.1 as bytes, for load that is encoded beforehand. */
import type { CrowdClient } from './crowd-lead.ts';

/** MQTT 3.1.1, 1.5.3. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

/** Fixed header and body (2.2). */
function packet(firstByte: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = [firstByte];
  let rest = body.length;
  do {
    head.push((rest % 128) | (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.concat([Buffer.from(head), body]);
}

/** 3.1: clean session. */
export function connectPacket({ clientId, userName, password }: CrowdClient, keepAliveS: number): Buffer {
  const login = userName === undefined ? [] : [text(userName), text(password ?? '')];
  const flags = userName === undefined ? 0x02 : 0xc2; // 3.1.2.3: clean session, user name, password
  const variable = Buffer.from([4, flags, keepAliveS >> 8, keepAliveS & 255]);
  return packet(0x10, text('MQTT'), variable, text(clientId), ...login);
}

export function publishQos0(topic: string, payload: string): Buffer {
  return packet(0x30, text(topic), Buffer.from(payload));
}

export function publishQos1(packetId: number, topic: string, payload: string): Buffer {
  return packet(0x32, text(topic), uint16(packetId), Buffer.from(payload));
}

export function publishRetained(packetId: number, topic: string, payload: string): Buffer {
  return packet(0x33, text(topic), uint16(packetId), Buffer.from(payload));
}

export function subscribePacket(packetId: number, filter: string, qos: 0 | 1): Buffer {
  return packet(0x82, uint16(packetId), text(filter), Buffer.from([qos]));
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}
