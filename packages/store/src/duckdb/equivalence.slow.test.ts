import { test } from 'vitest';
import { checkEquivalence } from './equivalence.ts';

test('answers as the reference store does, in many histories', () => checkEquivalence(300), 1_800_000);
