/** Line 3: every packet of our tables, valid and malformed, in both versions, over a socket to the broker. */
import { startBroker } from '../packages/broker/src/testing/harness.ts';
import { ALL_VECTORS } from '../packages/broker/src/vectors/index.ts';
import { runVector } from '../packages/broker/src/vectors/run-vector.ts';
import type { ScorecardLine } from './line.ts';

export const packetVectors: ScorecardLine = {
  number: 3,
  what: 'packets, byte by byte',
  must: 'every packet, valid or malformed, is answered as the specification says',
  async run() {
    const broker = await startBroker();
    const findings: string[] = [];
    for (const vector of ALL_VECTORS) {
      const finding = await runVector(broker.port, vector);
      if (finding !== null) findings.push(finding);
    }
    await broker.broker.stop();
    const count = (version: number): number => ALL_VECTORS.filter((vector) => vector.version === version).length;
    const right = ALL_VECTORS.length - findings.length;
    return {
      passed: findings.length === 0,
      figure: `${right} of ${ALL_VECTORS.length} packets (${count(5)} of MQTT 5, ${count(4)} of 3.1.1)`,
      findings,
    };
  },
};
