/** Quality of a sample, as OPC says it: one byte whose upper two bits tell good (11), uncertain (01) or bad (00). */

export type Quality = 'good' | 'uncertain' | 'bad';

export const QUALITY_GOOD = 192;
export const QUALITY_UNCERTAIN = 64;
export const QUALITY_BAD = 0;

/** The word for an OPC quality byte. */
export function qualityOf(code: number): Quality {
  const status = code & 0b1100_0000;
  if (status === QUALITY_GOOD) return 'good';
  return status === QUALITY_UNCERTAIN ? 'uncertain' : 'bad';
}

/** The OPC quality byte for a word. */
export function qualityCode(quality: Quality): number {
  switch (quality) {
    case 'good':
      return QUALITY_GOOD;
    case 'uncertain':
      return QUALITY_UNCERTAIN;
    case 'bad':
      return QUALITY_BAD;
  }
}
