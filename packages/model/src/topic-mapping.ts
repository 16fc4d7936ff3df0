/**
 * Topic mappings: from an MQTT topic to the mapping that says how to read it.
 *
 * A pattern is a topic whose levels are literal, `{name}` (one level, captured) or, as the last level, `{name+}` (one or
 * more levels, captured with their slashes): `v1/telemetry/{organization}/{device}`, `uns/{enterprise}/{site}/{path+}`.
 */
import type { TopicMapping } from './directory.ts';

export interface MappingMatch {
  readonly mapping: TopicMapping;
  readonly captures: Readonly<Record<string, string>>;
}

/** Says what is wrong with a pattern, or null where it is well formed. */
export function patternProblem(pattern: string): string | null {
  const levels = pattern.split('/');
  const names = new Set<string>();
  for (const [index, level] of levels.entries()) {
    const capture = /^\{([A-Za-z][A-Za-z0-9]*)(\+?)\}$/.exec(level);
    if (capture === null) {
      if (/[{}+#\0]/.test(level)) return `level ${index + 1} "${level}" is neither literal nor {name} nor {name+}`;
      continue;
    }
    if (names.has(capture[1]!)) return `{${capture[1]}} stands twice`;
    if (capture[2] === '+' && index !== levels.length - 1) return `{${capture[1]}+} must be the last level`;
    names.add(capture[1]!);
  }
  return null;
}

/** `{name}` in a template is replaced by the capture of that name; one that is not there becomes ''. */
export function fillTemplate(template: string, captures: Readonly<Record<string, string>>): string {
  return template.replace(/\{([A-Za-z][A-Za-z0-9]*)\}/g, (_, name: string) => captures[name] ?? '');
}

interface Compiled {
  readonly mapping: TopicMapping;
  readonly levels: readonly { readonly literal?: string; readonly name?: string; readonly rest?: boolean }[];
  readonly literals: number;
}

/** Matches topics against a set of mappings: an organisation's own before the built-in ones, then by priority. */
export class TopicMatcher {
  readonly #compiled: Compiled[];

  constructor(mappings: Iterable<TopicMapping>) {
    this.#compiled = [...mappings].filter((mapping) => mapping.enabled).map(compile);
    this.#compiled.sort(
      (a, b) =>
        Number(b.mapping.organizationId !== null) - Number(a.mapping.organizationId !== null) ||
        b.mapping.priority - a.mapping.priority ||
        b.literals - a.literals,
    );
  }

  /** The first mapping of this organisation, or built in, that matches; null where none does. */
  match(organizationId: string, topic: string): MappingMatch | null {
    const levels = topic.split('/');
    for (const compiled of this.#compiled) {
      const owner = compiled.mapping.organizationId;
      if (owner !== null && owner !== organizationId) continue;
      const captures = matchLevels(compiled, levels);
      if (captures !== null) return { mapping: compiled.mapping, captures };
    }
    return null;
  }
}

function compile(mapping: TopicMapping): Compiled {
  const levels = mapping.pattern.split('/').map((level) => {
    const capture = /^\{([A-Za-z][A-Za-z0-9]*)(\+?)\}$/.exec(level);
    return capture === null ? { literal: level } : { name: capture[1]!, rest: capture[2] === '+' };
  });
  return { mapping, levels, literals: levels.filter((level) => 'literal' in level).length };
}

function matchLevels(compiled: Compiled, levels: readonly string[]): Record<string, string> | null {
  const captures: Record<string, string> = Object.create(null);
  for (const [index, part] of compiled.levels.entries()) {
    const level = levels[index];
    if (level === undefined) return null;
    if (part.literal !== undefined) {
      if (part.literal !== level) return null;
    } else if (part.rest === true) {
      captures[part.name!] = levels.slice(index).join('/');
      return captures;
    } else {
      if (level === '') return null;
      captures[part.name!] = level;
    }
  }
  return levels.length === compiled.levels.length ? captures : null;
}

const BUILT_IN_ID = '00000000-0000-7000-8000-00000000000';

/** The mappings that every installation starts with: the schemes of the platform, of robots and of the UNS. */
export const BUILT_IN_MAPPINGS: readonly TopicMapping[] = [
  {
    id: `${BUILT_IN_ID}1`,
    organizationId: null,
    name: 'Telemetry (JSON)',
    pattern: 'v1/telemetry/{organization}/{device}',
    codec: 'json',
    device: '{device}',
    metric: '{metric}',
    priority: 0,
    enabled: true,
  },
  {
    id: `${BUILT_IN_ID}2`,
    organizationId: null,
    name: 'Robot sensors (Protobuf)',
    pattern: 'robots/{device}/sensors/{sensorType}/data',
    codec: 'protobuf',
    device: '{device}',
    metric: '{sensorType}.{metric}',
    priority: 0,
    enabled: true,
  },
  {
    id: `${BUILT_IN_ID}3`,
    organizationId: null,
    name: 'Unified namespace (JSON)',
    pattern: 'uns/{enterprise}/{site}/{area}/{line}/{cell}/{tag+}',
    codec: 'uns',
    device: '{cell}',
    metric: '{tag}',
    priority: 0,
    enabled: true,
  },
];
