/** The nouns that packets, sessions and router share: an application message and its delivery to one subscriber. */

import type { Lane, Share } from './router/share.ts';
import type { Session } from './session/session.ts';

export type QoS = 0 | 1 | 2;
/** 4 = MQTT 3.1.1, 5 = MQTT 5.0, as in the CONNECT packet. */
export type ProtocolVersion = 4 | 5;

/** A message for subscribers. It owns its bytes (nothing of a socket's buffer stays alive through it). */
export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  /** As the publisher set it. */
  readonly retain: boolean;
  /** MQTT 5 properties that go on unaltered, as they stand on the wire; empty where there are none. */
  readonly properties: Uint8Array;
  /** Wall time in milliseconds after which it is not delivered any more; Infinity = never. */
  readonly expiresAtMs: number;
}

/** One message on its way to one session. */
export interface Delivery {
  readonly message: Message;
  /** The lower of what was published and what the subscription allows. */
  readonly qos: QoS;
  /** The flag as the subscriber is to see it. */
  readonly retain: boolean;
  readonly subscriptionIdentifiers: readonly number[];
  /** Number in its session, by which the session store knows it; 0 = not stored. */
  readonly id: number;
  /** Where it came through a shared subscription. */
  readonly shared?: SharedDelivery;
}

/** Ties a delivery to the share that it came through. */
export interface SharedDelivery {
  /** As it was subscribed to, with $share/…. */
  readonly filter: string;
  readonly share: Share<Session>;
  readonly lane: Lane;
}

export const NO_BYTES = new Uint8Array(0);

/** The same message with bytes of its own. */
export function ownMessage(message: Message): Message {
  return { ...message, payload: new Uint8Array(message.payload), properties: new Uint8Array(message.properties) };
}

/** What a message counts against byte limits: payload, topic, properties and a flat sum for the objects around them. */
export function messageBytes(message: Message): number {
  return message.payload.length + message.topic.length + message.properties.length + 128;
}
