/** Line 4: coverage-guided fuzzing of decoders, codecs and the whole broker, beside a client that loses nothing. */
import { brokerTarget, FuzzedBroker } from '../tests/fuzz/broker-target.ts';
import { DECODER_TARGETS } from '../tests/fuzz/decoder-targets.ts';
import { type FuzzResult, fuzz } from '../tests/fuzz/fuzz.ts';
import { liveBytes } from '../tests/fuzz/live-memory.ts';
import { seedOfRun } from '../tests/support/seed.ts';
import type { ScorecardLine } from './line.ts';

const GROWTH_BYTES_MAX = 8 * 1024 * 1024;

export const fuzzing: ScorecardLine = {
  number: 4,
  what: 'fuzzing',
  must: '0 crashes, memory flat, the well-behaved client loses nothing',
  async run(form, say) {
    const seed = seedOfRun();
    const seconds = form === 'long' ? { decoder: 180, broker: 600 } : { decoder: 4, broker: 12 };
    const results: FuzzResult[] = [];
    say(`seed ${seed}`);
    const tell = (result: FuzzResult): void => {
      results.push(result);
      const { target, runCount, kept, seedCharacters, characters } = result;
      say(
        `${target}: ${runCount.toLocaleString('en-US')} inputs, ${kept.length} kept; ${seedCharacters} characters of source reached, then ${characters}`,
      );
    };
    for (const target of DECODER_TARGETS) tell(await fuzz(target, seed, seconds.decoder * 1000));

    const broker = await FuzzedBroker.start();
    const target = brokerTarget(broker);
    tell(await fuzz(target, seed, seconds.broker * 500));
    const before = await liveBytes();
    tell(await fuzz(target, seed + 1, seconds.broker * 500));
    const growth = (await liveBytes()) - before;
    const { sent, lost } = await broker.account();
    await broker.stop();

    const findings = [...results.flatMap(({ failures }) => failures), ...broker.bugs];
    const runs = results.reduce((sum, { runCount }) => sum + runCount, 0);
    return {
      passed: findings.length === 0 && lost === 0 && sent > 0 && growth < GROWTH_BYTES_MAX,
      figure: `${findings.length} crashes in ${runs.toLocaleString('en-US')} inputs; ${lost} of ${sent} messages beside them lost; memory ${(growth / 1e6).toFixed(1)} MB more`,
      findings,
    };
  },
};
