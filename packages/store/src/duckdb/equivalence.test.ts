import { test } from 'vitest';
import { checkEquivalence } from './equivalence.ts';

test('answers as the reference store does, whatever comes in whatever order', () => checkEquivalence(15), 60_000);
