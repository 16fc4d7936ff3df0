/** Random numbers that a seed determines, so that a run can be repeated. */
import { seededRandom } from '@fieldline/kit';

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Normal with mean 0 and deviation 1. */
  gaussian(): number;
}

/** A generator for a seed; the same text or number gives the same sequence. */
export function createRandom(seed: string | number): Random {
  const next = seededRandom(hash(String(seed)));
  // Box and Muller; 1 − u, because the logarithm of 0 is none.
  const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return { next, gaussian };
}

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value;
}
