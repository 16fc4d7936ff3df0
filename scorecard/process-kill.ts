/**
 * Lines 5 and 7: SIGKILL at random and at chosen moments while samples come in over MQTT (QoS 1 and 2) and HTTP; every
 * acknowledged sample is there, once.
 */

import { DOORS } from '../tests/support/ledger/clients.ts';
import { type LedgerOptions, type LedgerResult, runLedger } from '../tests/support/ledger.ts';
import { temporaryFolder } from '../tests/support/server-process.ts';
import type { Outcome, ScorecardLine } from './line.ts';

export const processKill: ScorecardLine = {
  number: 5,
  what: 'process kill',
  must: '0 acknowledged samples lost, 0 doubled; also killed while sealing, compacting, migrating and starting',
  run: (form, say) =>
    keep({
      kills: form === 'long' ? 100 : 6,
      samplesMin: form === 'long' ? 1_000_000 : 20_000,
      doors: DOORS,
      moments: ['sealing', 'migration', 'compaction', 'start', 'any', 'clean stop'],
      firstStartsCutOff: form === 'long' ? 10 : 2,
      say,
    }),
};

export const onceInEffect: ScorecardLine = {
  number: 7,
  what: 'once in effect',
  must: '0 lost, 0 doubled: killed between acknowledgement, store commit and position; DUP resends; reconnect storms',
  run: (form, say) =>
    keep({
      kills: form === 'long' ? 60 : 4,
      samplesMin: form === 'long' ? 500_000 : 20_000,
      doors: DOORS,
      moments: ['commit', 'storm'],
      say,
    }),
};

type Proof = Pick<LedgerOptions, 'kills' | 'samplesMin' | 'doors' | 'moments' | 'firstStartsCutOff' | 'say'>;

async function keep(proof: Proof): Promise<Outcome> {
  const folder = temporaryFolder('ledger');
  const result = await runLedger({
    ...proof,
    dataDir: folder.path,
    clients: 21,
    window: 20,
    samplesPerMessage: 5,
    seed: Date.now() % 1_000_000,
    environment: { FIELDLINE_STORE_SEAL_AFTER_SECONDS: '1', FIELDLINE_STORE_SEAL_ROWS: '1000' },
  });
  const passed = result.lost + result.doubled + result.wrong === 0;
  if (passed) folder.remove();
  return { passed, figure: figureOf(result), findings: result.findings };
}

function figureOf({ lost, doubled, acknowledged, kills, recoveriesMs, missed }: LedgerResult): string {
  const recovery = `ready again after ${(Math.max(...recoveriesMs) / 1000).toFixed(1)} s at most`;
  const missing = missed === 0 ? '' : ` (${missed} of them at another moment than meant)`;
  return `${lost} lost, ${doubled} doubled of ${acknowledged.toLocaleString('en-US')} in ${kills} kills${missing}; ${recovery}`;
}
