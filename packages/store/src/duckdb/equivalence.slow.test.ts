import { test } from 'vitest';
import { checkEquivalence } from './equivalence.ts';

test(
  'answers as the reference store does, in many histories',
  () => checkEquivalence(Number(process.env.TEST_RUNS ?? 150)),
  1_800_000,
);
