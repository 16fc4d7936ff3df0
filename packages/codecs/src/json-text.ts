/**
 * JSON text to values, within limits. Beyond JSON.parse: a payload that nests too deeply is refused before it is built
 * up, and the tokens NaN, Infinity and -Infinity, which Python and others write, become Infinity instead of an error, so
 * that only the metric they stand for is rejected.
 */
import { DecodeError, type DecodeLimits } from './codec.ts';

/**
 * JSON.parse does not recurse (100,000 levels are fine), but each level costs memory. Payloads up to this size cannot
 * cost much, so their depth is not counted.
 */
const DEPTH_UNCOUNTED_BYTES_MAX = 4096;

/** Parses JSON. Throws PAYLOAD_NOT_DECODABLE (with the parser's reason) or PAYLOAD_OVER_LIMIT (depth). */
export function parseJson(text: string, limits: DecodeLimits): unknown {
  if (text.length > DEPTH_UNCOUNTED_BYTES_MAX) checkDepth(text, limits.depthMax);
  try {
    return JSON.parse(text);
  } catch (error) {
    const mended = withoutNonFiniteTokens(text);
    if (mended !== null) {
      try {
        return JSON.parse(mended);
      } catch {
        // Broken in another way too: the first reason is the one that fits the payload.
      }
    }
    throw new DecodeError('PAYLOAD_NOT_DECODABLE', `the payload is not JSON: ${(error as Error).message}`);
  }
}

function checkDepth(text: string, depthMax: number): void {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index);
    if (character === 0x22 /* " */) {
      index = endOfString(text, index);
    } else if (character === 0x5b /* [ */ || character === 0x7b /* { */) {
      depth += 1;
      if (depth > depthMax) {
        throw new DecodeError('PAYLOAD_OVER_LIMIT', `the payload nests deeper than ${depthMax} levels`);
      }
    } else if (character === 0x5d /* ] */ || character === 0x7d /* } */) {
      depth -= 1;
    }
  }
}

/** Index of the quote that ends the string which starts at `start`; the text's length where none does. */
function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    const character = text.charCodeAt(index);
    if (character === 0x5c /* \ */) index += 1;
    else if (character === 0x22 /* " */) return index;
  }
  return text.length;
}

/** The text with 1e999 (which reads as Infinity) for each NaN and Infinity outside strings; null where there is none. */
function withoutNonFiniteTokens(text: string): string | null {
  if (!text.includes('NaN') && !text.includes('Infinity')) return null;
  const parts: string[] = [];
  let copied = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index);
    if (character === 0x22 /* " */) {
      index = endOfString(text, index);
      continue;
    }
    const token = character === 0x4e /* N */ ? 'NaN' : character === 0x49 /* I */ ? 'Infinity' : null;
    if (token === null || !text.startsWith(token, index)) continue;
    parts.push(text.slice(copied, index), '1e999');
    copied = index + token.length;
    index = copied - 1;
  }
  return parts.length === 0 ? null : parts.join('') + text.slice(copied);
}
