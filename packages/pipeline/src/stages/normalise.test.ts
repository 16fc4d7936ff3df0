import { QUALITY_BAD, QUALITY_GOOD, QUALITY_UNCERTAIN, type SeriesDefinition, TIME_MAX } from '@fieldline/model';
import { expect, test } from 'vitest';
import { SeriesState } from '../series-state.ts';
import { logged, origin, record, series, T0 } from '../testing.ts';
import { Work } from '../work.ts';
import { normalise } from './normalise.ts';

interface Sent {
  readonly value: number | boolean | string;
  readonly time?: number;
  readonly unit?: string;
  readonly quality?: number;
}

const TOLERANCE = 300_000_000;

/** One sample of a series, received at T0, through the stage: [time − T0, value, quality] or the code of its refusal. */
function through(
  definition: Partial<SeriesDefinition>,
  { value, time = T0, unit, quality = QUALITY_GOOD }: Sent,
): unknown {
  const { work, state } = workOf(definition);
  if (typeof value === 'string') work.decoded.addText('m', time, value, quality);
  else if (typeof value === 'boolean') work.decoded.addBoolean('m', time, value, quality);
  else work.decoded.addNumber('m', time, value, quality);
  if (unit !== undefined) work.decoded.unitOfLast(unit);
  work.series[0] = state;
  normalise(work, TOLERANCE);
  if (work.series[0] === null) return work.rejections[0]!.code;
  return [
    work.decoded.sourceTime[0]! - T0,
    work.decoded.texts.get(0) ?? work.decoded.value[0],
    work.decoded.quality[0],
  ];
}

function workOf(definition: Partial<SeriesDefinition>): { work: Work; state: SeriesState } {
  const work = new Work();
  work.begin(logged([record(origin('pump'), {})]), []);
  work.decoded.beginRecord(0);
  return { work, state: new SeriesState(series(1, 'pump', 'm', definition)) };
}

const text = { valueKind: 'text' } as const;
const boolean = { valueKind: 'boolean' } as const;
const bounds = { minimum: 0, maximum: 10 };
const fahrenheit = { unit: 'Cel', sourceUnit: '[degF]' };

test.each<[string, Partial<SeriesDefinition>, Sent, unknown]>([
  ['as it is', {}, { value: 1.5 }, [0, 1.5, 192]],
  ['before 1970', {}, { value: 1, time: -1 }, 'TIME_INVALID'],
  ['after 2200', {}, { value: 1, time: TIME_MAX + 1 }, 'TIME_INVALID'],
  ['as far ahead as may be', {}, { value: 1, time: T0 + TOLERANCE }, [TOLERANCE, 1, 192]],
  ['too far ahead', {}, { value: 1, time: T0 + TOLERANCE + 1 }, 'TIME_IN_FUTURE'],
  ['scale and offset', { scale: 0.5, offset: 3 }, { value: 4 }, [0, 5, 192]],
  ['unit of the source', fahrenheit, { value: 212 }, [0, expect.closeTo(100, 9), 192]],
  ['scale, then unit', { ...fahrenheit, scale: 0.1 }, { value: 2120 }, [0, expect.closeTo(100, 9), 192]],
  ['unit of the source, told', fahrenheit, { value: 212, unit: '[degF]' }, [0, expect.closeTo(100, 9), 192]],
  ['another unit is told', fahrenheit, { value: 373.15, unit: 'K' }, [0, expect.closeTo(100, 9), 192]],
  ['the stored unit is told', fahrenheit, { value: 100, unit: 'Cel' }, [0, 100, 192]],
  ['told, series without unit', {}, { value: 7, unit: 'bar' }, [0, 7, 192]],
  ['told, of another dimension', { unit: 'Cel' }, { value: 7, unit: 'bar' }, 'VALUE_NOT_ACCEPTED'],
  ['told, unknown but declared', { unit: 'Cel', sourceUnit: '°C' }, { value: 7, unit: '°C' }, [0, 7, 192]],
  ['infinite after scaling', { scale: 1e300 }, { value: 1e300 }, 'VALUE_NOT_ACCEPTED'],
  ['infinite, with bounds', { scale: 1e300, ...bounds }, { value: 1e300 }, 'VALUE_NOT_ACCEPTED'],
  ['below', bounds, { value: -1 }, [0, 0, QUALITY_UNCERTAIN]],
  ['above', bounds, { value: 11 }, [0, 10, QUALITY_UNCERTAIN]],
  ['on the bound', bounds, { value: 10 }, [0, 10, QUALITY_GOOD]],
  ['above, and bad already', bounds, { value: 11, quality: QUALITY_BAD }, [0, 10, QUALITY_BAD]],
  ['boolean', boolean, { value: true }, [0, 1, 192]],
  ['0 or 1 for a boolean', boolean, { value: 0 }, [0, 0, 192]],
  ['another number for a boolean', boolean, { value: 0.5 }, 'VALUE_NOT_ACCEPTED'],
  ['boolean for a number', {}, { value: true }, [0, 1, 192]],
  ['text for a number', {}, { value: '1' }, 'VALUE_NOT_ACCEPTED'],
  ['text for a boolean', boolean, { value: 'on' }, 'VALUE_NOT_ACCEPTED'],
  ['text', text, { value: 'on' }, [0, 'on', 192]],
  ['number for a text', text, { value: 1.5 }, [0, '1.5', 192]],
  ['boolean for a text', text, { value: false }, [0, 'false', 192]],
])('%s', (_, definition, sent, expected) => {
  expect(through(definition, sent)).toEqual(expected);
});
