/** The catalogue has a sentence everywhere: no empty text, no function that forgets its argument. */
import { expect, it } from 'vitest';
import { en } from './en.ts';

it('says something everywhere', () => {
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'string') {
      if (path !== 'en.history.resolution.auto') expect(value.trim(), path).not.toBe('');
    } else if (typeof value === 'function') {
      expect(String(value('<one>', '<two>')), path).not.toBe('');
    } else {
      for (const [name, inner] of Object.entries(value as object)) walk(inner, `${path}.${name}`);
    }
  };
  walk(en, 'en');
});
