/** Before each file of tests: the histories and inputs that fast-check makes up come from the seed of the run. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.TEST_SEED) });
