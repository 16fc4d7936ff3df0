/**
 * `npm run ledger -- --kills 10`: proves on the real program that what was acknowledged is there after SIGKILL, once.
 * `--kills 100 --samples 1000000` is the long form; --doors and --moments choose (default: all in turn). Prints the result as
 * JSON; exit 1 where anything is lost or doubled.
 */
import { parseArgs } from 'node:util';
import { DOORS, type Door } from '../tests/support/ledger/clients.ts';
import { MOMENTS, type Moment } from '../tests/support/ledger/moments.ts';
import { runLedger } from '../tests/support/ledger.ts';
import { seedOfRun } from '../tests/support/seed.ts';
import { temporaryFolder } from '../tests/support/server-process.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '10' },
    samples: { type: 'string', default: '20000' },
    clients: { type: 'string', default: '21' },
    doors: { type: 'string', default: 'qos1,qos2,http' },
    moments: { type: 'string', default: MOMENTS.join(',') },
    seed: { type: 'string', default: String(seedOfRun()) },
  },
});
const doors = chosen<Door>(values.doors, DOORS);
const moments = chosen<Moment>(values.moments, MOMENTS);
const folder = temporaryFolder('ledger');
const result = await runLedger({
  dataDir: folder.path,
  kills: Number(values.kills),
  clients: Number(values.clients),
  window: 20,
  samplesPerMessage: 5,
  samplesMin: Number(values.samples),
  doors,
  moments,
  firstStartsCutOff: 2,
  seed: Number(values.seed),
  // Sealing goes on all the time, so that kills fall into it.
  environment: {
    FIELDLINE_STORE_SEAL_AFTER_SECONDS: '1',
    FIELDLINE_STORE_SEAL_ROWS: '1000',
    FIELDLINE_API_UI: 'false',
  },
  say: console.log,
});
const recoveries = [...result.recoveriesMs].sort((a, b) => a - b);
console.log(
  JSON.stringify({
    ...result,
    recoveriesMs: undefined,
    recoveryMedianMs: Math.round(recoveries[Math.floor(recoveries.length / 2)] ?? 0),
    recoveryMaxMs: Math.round(recoveries.at(-1) ?? 0),
  }),
);
const failed = result.lost + result.doubled + result.wrong > 0 || result.acknowledged < Number(values.samples);
if (!failed) folder.remove();
else console.error(`the data folder is kept for a look: ${folder.path}`);
console.log(failed ? '0 passed, 1 failed' : '1 passed, 0 failed');
process.exit(failed ? 1 : 0);

function chosen<T extends string>(list: string, known: readonly T[]): T[] {
  const unknown = list.split(',').filter((name) => !known.some((each) => each === name));
  if (unknown.length > 0) {
    console.error(`there is no ${unknown.join(', ')}; choose among ${known.join(', ')}`);
    process.exit(2);
  }
  return list.split(',').flatMap((name) => known.find((each) => each === name) ?? []);
}
