/** YAML against a schema: every problem with its line and its path, in words. */
import { FieldlineError } from '@fieldline/kit';
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { type Document, LineCounter, parseDocument } from 'yaml';

export type Path = readonly (string | number)[];

/** A file that is being checked. Problems are collected, so that all are told at once. */
export interface CheckedYaml {
  readonly value: unknown;
  problem(path: Path, message: string): void;
  /** Adds the problems that a part of the file has with a schema. */
  check(schema: TSchema, value: unknown, path: Path): void;
  /** Throws CONFIG_INVALID where there are problems. */
  throwProblems(): void;
}

const PROBLEMS_SHOWN_MAX = 20;

/** Parses YAML. Throws CONFIG_INVALID where it is none. */
export function parseYaml(text: string, fileName: string): CheckedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const problems: string[] = document.errors.map((error) => `${fileName}: ${error.message.split('\n', 1)[0]}`);
  const checkedYaml: CheckedYaml = {
    value: document.errors.length > 0 ? null : document.toJS({ maxAliasCount: 100 }),
    problem(path, message) {
      problems.push(`${fileName}:${lineOf(document, lines, path)}: ${pathText(path)}: ${message}`);
    },
    check(schema, value, path) {
      for (const { path: place, message } of problemsOf(schema, value))
        checkedYaml.problem([...path, ...place], message);
    },
    throwProblems() {
      if (problems.length === 0) return;
      const more = problems.length > PROBLEMS_SHOWN_MAX ? [`and ${problems.length - PROBLEMS_SHOWN_MAX} more`] : [];
      throw new FieldlineError('CONFIG_INVALID', [...problems.slice(0, PROBLEMS_SHOWN_MAX), ...more].join('\n'));
    },
  };
  checkedYaml.throwProblems();
  return checkedYaml;
}

/** The whole file as the schema's type. Throws CONFIG_INVALID where it is not. */
export function checked<S extends TSchema>(schema: S, document: CheckedYaml): Static<S> {
  document.check(schema, document.value, []);
  document.throwProblems();
  return document.value as Static<S>;
}

function problemsOf(schema: TSchema, value: unknown): { path: (string | number)[]; message: string }[] {
  const found = new Map<string, { path: (string | number)[]; messages: string[] }>();
  for (const error of Value.Errors(schema, value)) {
    if (error.keyword === 'boolean') continue; // Said again, with names, as additionalProperties.
    const path = error.instancePath.split('/').slice(1).map(unescapePointer);
    const entry = found.get(error.instancePath) ?? { path, messages: [] };
    found.set(error.instancePath, entry);
    entry.messages.push(messageOf(error));
  }
  return [...found.values()].map(({ path, messages }) => ({
    path,
    message: [...new Set(messages)].filter((message) => message !== '').join(' or '),
  }));
}

function messageOf(error: { keyword: string; message: string; params: object }): string {
  const params = error.params as { additionalProperties?: string[]; allowedValue?: unknown };
  if (error.keyword === 'additionalProperties') return `does not know ${params.additionalProperties?.join(', ')}`;
  if (error.keyword === 'const') return `must be ${JSON.stringify(params.allowedValue)}`;
  return error.keyword === 'anyOf' ? '' : error.message;
}

function unescapePointer(part: string): string | number {
  const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
  return /^\d+$/.test(name) ? Number(name) : name;
}

function pathText(path: Path): string {
  return (
    path.map((part, at) => (typeof part === 'number' ? `[${part}]` : at === 0 ? part : `.${part}`)).join('') || 'file'
  );
}

/** Line of the place, or of the nearest one above it that stands in the file. */
function lineOf(document: Document, lines: LineCounter, path: Path): number {
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true) as { range?: [number, number, number] } | undefined;
    if (node?.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}
