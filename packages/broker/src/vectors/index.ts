/** All tables of packets, in the order of the packet types. */
import { ACKNOWLEDGEMENT_VECTORS } from './acknowledgements.ts';
import { CONNECT_VECTORS } from './connect.ts';
import { OTHER_VECTORS } from './other-packets.ts';
import { PUBLISH_VECTORS } from './publish.ts';
import { SUBSCRIBE_VECTORS } from './subscribe.ts';
import type { PacketVector } from './vector.ts';

export const ALL_VECTORS: readonly PacketVector[] = [
  ...CONNECT_VECTORS,
  ...PUBLISH_VECTORS,
  ...ACKNOWLEDGEMENT_VECTORS,
  ...SUBSCRIBE_VECTORS,
  ...OTHER_VECTORS,
];
