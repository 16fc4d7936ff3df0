/**
 * Patterns: what a metric reads at a time. Pure but for the random generator handed in; asked with rising times.
 * Sine, step, constant and the excursions of breach depend on the time alone, so that history and present fit together.
 */
import { type Static, Type } from 'typebox';
import { createRandom, type Random } from './random.ts';

export type Value = number | boolean | string;

const value = Type.Union([Type.Number(), Type.Boolean(), Type.String()]);
const positive = Type.Number({ exclusiveMinimum: 0 });
const common = {
  /** UCUM code; sent by the formats that carry units. */
  unit: Type.Optional(Type.String({ maxLength: 64 })),
  /** Numbers are rounded to so many places; default 2. */
  decimals: Type.Optional(Type.Integer({ minimum: 0, maximum: 12 })),
};
const strict = { additionalProperties: false };

/** The parameters of each pattern, by its name. Times in milliseconds. */
export const PATTERN_SCHEMAS = {
  constant: Type.Object({ pattern: Type.Literal('constant'), value, ...common }, strict),
  sine: Type.Object(
    {
      pattern: Type.Literal('sine'),
      mean: Type.Number(),
      amplitude: Type.Number(),
      periodMs: positive,
      /** Part of a period, 0 to 1. */
      phase: Type.Optional(Type.Number()),
      /** Standard deviation of what is added. */
      noise: Type.Optional(Type.Number({ minimum: 0 })),
      ...common,
    },
    strict,
  ),
  /** A random walk that is drawn back to its mean, so that it stays within some spreads of it. */
  walk: Type.Object(
    {
      pattern: Type.Literal('walk'),
      mean: Type.Number(),
      /** Standard deviation in the long run. */
      spread: Type.Number({ minimum: 0 }),
      /** How long it takes to forget where it was; default 10 minutes. */
      memoryMs: Type.Optional(positive),
      minimum: Type.Optional(Type.Number()),
      maximum: Type.Optional(Type.Number()),
      ...common,
    },
    strict,
  ),
  step: Type.Object(
    { pattern: Type.Literal('step'), values: Type.Array(value, { minItems: 1 }), holdMs: positive, ...common },
    strict,
  ),
  /** Normal, and once in every everyMs for forMs at another level. */
  breach: Type.Object(
    {
      pattern: Type.Literal('breach'),
      mean: Type.Number(),
      level: Type.Number(),
      everyMs: positive,
      forMs: positive,
      noise: Type.Optional(Type.Number({ minimum: 0 })),
      ...common,
    },
    strict,
  ),
};

export type PatternName = keyof typeof PATTERN_SCHEMAS;
export type Pattern = { [K in PatternName]: Static<(typeof PATTERN_SCHEMAS)[K]> }[PatternName];

/** The reading at a time (milliseconds since 1970). Ask with rising times. */
export type Source = (timeMs: number) => Value;

/** Makes the source of one metric. `seed` tells where breaches fall; `random` gives noise and walks. */
export function createSource(pattern: Pattern, seed: string, random: Random): Source {
  const read = sourceOf(pattern, seed, random);
  const factor = 10 ** (pattern.decimals ?? 2);
  return (timeMs) => {
    const reading = read(timeMs);
    return typeof reading === 'number' ? Math.round(reading * factor) / factor : reading;
  };
}

function sourceOf(pattern: Pattern, seed: string, random: Random): Source {
  switch (pattern.pattern) {
    case 'constant':
      return () => pattern.value;
    case 'sine': {
      const { mean, amplitude, periodMs, phase = 0, noise = 0 } = pattern;
      return (timeMs) =>
        mean + amplitude * Math.sin(2 * Math.PI * (timeMs / periodMs + phase)) + noise * random.gaussian();
    }
    case 'walk':
      return walk(pattern, random);
    case 'step': {
      const { values, holdMs } = pattern;
      return (timeMs) => values[Math.floor(timeMs / holdMs) % values.length]!;
    }
    case 'breach':
      return breach(pattern, seed, random);
  }
}

/** An Ornstein-Uhlenbeck process, in its exact form for steps of any length: a minute at once is like sixty seconds. */
function walk(pattern: Extract<Pattern, { pattern: 'walk' }>, random: Random): Source {
  const { mean, spread, memoryMs = 600_000 } = pattern;
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = pattern;
  let at = mean + spread * random.gaussian();
  let lastMs = Number.NaN;
  return (timeMs) => {
    const kept = Number.isNaN(lastMs) ? 1 : Math.exp(-Math.max(0, timeMs - lastMs) / memoryMs);
    at = mean + (at - mean) * kept + spread * Math.sqrt(1 - kept * kept) * random.gaussian();
    lastMs = timeMs;
    return Math.min(maximum, Math.max(minimum, at));
  };
}

/** Part of an excursion in which the value rises to the level and comes back from it. */
const RAMP = 0.1;

function breach(pattern: Extract<Pattern, { pattern: 'breach' }>, seed: string, random: Random): Source {
  const { mean, level, everyMs, noise = 0 } = pattern;
  const forMs = Math.min(pattern.forMs, everyMs);
  let round = Number.NaN;
  let startMs = 0;
  return (timeMs) => {
    if (Math.floor(timeMs / everyMs) !== round) {
      round = Math.floor(timeMs / everyMs);
      startMs = round * everyMs + createRandom(`${seed}/${round}`).next() * (everyMs - forMs);
    }
    const through = (timeMs - startMs) / forMs;
    const share = through < 0 || through > 1 ? 0 : Math.min(1, through / RAMP, (1 - through) / RAMP);
    return mean + (level - mean) * share + noise * random.gaussian();
  };
}
