/** Line 5: SIGKILL at random moments while samples come in over MQTT; every acknowledged sample is there once. */
import { runLedger } from '../tests/support/ledger.ts';
import { temporaryFolder } from '../tests/support/server-process.ts';
import type { ScorecardLine } from './line.ts';

export const processKill: ScorecardLine = {
  number: 5,
  what: 'process kill',
  must: '0 acknowledged samples lost, 0 doubled',
  async run(form, say) {
    const folder = temporaryFolder('ledger');
    const result = await runLedger({
      dataDir: folder.path,
      kills: form === 'long' ? 100 : 5,
      clients: 20,
      window: 20,
      samplesPerMessage: 5,
      samplesMin: form === 'long' ? 1_000_000 : 20_000,
      qos: 1,
      seed: Date.now() % 1_000_000,
      environment: { FIELDLINE_STORE_SEAL_AFTER_SECONDS: '1', FIELDLINE_STORE_SEAL_ROWS: '1000' },
      say,
    });
    const passed = result.lost + result.doubled + result.wrong === 0;
    if (passed) folder.remove();
    const recovery = Math.max(...result.recoveriesMs) / 1000;
    return {
      passed,
      figure: `${result.lost} lost, ${result.doubled} doubled of ${result.acknowledged.toLocaleString('en-US')} in ${result.kills} kills; ready again after ${recovery.toFixed(1)} s at most`,
      findings: result.findings,
    };
  },
};
