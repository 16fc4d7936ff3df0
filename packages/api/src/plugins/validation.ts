/**
 * Checks requests against the route table's schemas, compiled once. Bodies are taken as they are; parameters, queries and
 * headers come as text and are converted. What is wrong is told with its path and what to do, a few at a time.
 */
import type { ProblemItem } from '@fieldline/contract';
import { FieldlineError } from '@fieldline/kit';
import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';

type Item = Static<typeof ProblemItem>;
export type RequestPart = 'params' | 'query' | 'headers' | 'body';

const ERRORS_TOLD_MAX = 10;

/** A function that gives the checked value back, or throws BAD_REQUEST with the places and reasons. */
export function compileCheck(schema: TSchema, part: RequestPart): (value: unknown) => unknown {
  const validator = Compile(schema);
  const fromText = part !== 'body';
  const optional = '~optional' in schema;
  return (value) => {
    if (optional && (value === undefined || value === null)) return {};
    const converted = fromText ? Value.Default(schema, Value.Convert(schema, value)) : value;
    if (validator.Check(converted)) return converted;
    const errors = problemItems(validator.Errors(converted), part);
    const first = errors[0];
    const detail = first === undefined ? `the ${part} does not fit` : `${first.path} ${first.message}`;
    throw new FieldlineError('BAD_REQUEST', detail, { details: { errors } });
  };
}

interface SchemaError {
  readonly keyword: string;
  readonly schemaPath: string;
  readonly instancePath: string;
  readonly params: unknown;
  readonly message: string;
}

function problemItems(found: readonly SchemaError[], part: RequestPart): Item[] {
  const items = new Map<string, Item>();
  for (const error of deepest(found)) {
    const path = `${part}${error.instancePath}`;
    const message = sentenceOf(error);
    items.set(`${path} ${message}`, { path, message });
    if (items.size === ERRORS_TOLD_MAX) break;
  }
  return [...items.values()];
}

/** Of a union every branch complains: the branch that got furthest is the one that was meant. */
function deepest(found: readonly SchemaError[]): readonly SchemaError[] {
  const useful = found.filter(({ keyword }) => keyword !== 'boolean' && keyword !== 'anyOf');
  const unions = Map.groupBy(useful, ({ schemaPath }) => schemaPath.split('/anyOf', 1)[0]!);
  return [...unions.values()].flatMap((branches) => {
    if (!branches.some(({ schemaPath }) => schemaPath.includes('/anyOf'))) return branches;
    const depth = ({ instancePath }: SchemaError): number => instancePath.split('/').length;
    const most = Math.max(...branches.map(depth));
    const furthest = branches.filter((error) => depth(error) === most);
    const others = furthest.filter(({ message }) => message !== 'must be null');
    // A branch of another type was not meant where one of the right type finds something else wrong.
    const ofItsType = others.filter(({ keyword }) => keyword !== 'type' && keyword !== 'const');
    return [ofItsType, others, furthest].find(({ length }) => length > 0)!;
  });
}

function sentenceOf({ keyword, params, message }: SchemaError): string {
  const facts = params as Record<string, unknown>;
  switch (keyword) {
    case 'required':
      return `misses ${listed(facts.requiredProperties)}`;
    case 'additionalProperties':
      return `has ${listed(facts.additionalProperties)}, which nothing is known of; leave it out`;
    case 'enum':
      return `must be one of ${listed(facts.allowedValues)}`;
    default:
      return message;
  }
}

function listed(names: unknown): string {
  return Array.isArray(names) ? names.map((name) => JSON.stringify(name)).join(', ') : 'something';
}
