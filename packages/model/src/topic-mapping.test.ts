import { expect, test } from 'vitest';
import { BUILT_IN_MAPPINGS, fillTemplate, patternProblem, TopicMatcher } from './topic-mapping.ts';

const matcher = new TopicMatcher([
  ...BUILT_IN_MAPPINGS,
  {
    ...BUILT_IN_MAPPINGS[0]!,
    id: 'own',
    organizationId: 'org-a',
    pattern: 'v1/telemetry/{organization}/{device}',
    codec: 'own',
  },
  { ...BUILT_IN_MAPPINGS[0]!, id: 'off', pattern: 'off/{device}', enabled: false },
  { ...BUILT_IN_MAPPINGS[0]!, id: 'general', pattern: 'line/{any}/{device}', codec: 'general' },
  { ...BUILT_IN_MAPPINGS[0]!, id: 'special', pattern: 'line/press/{device}', codec: 'special' },
]);

test.each([
  ['org-b', 'v1/telemetry/acme/pump', 'json', { organization: 'acme', device: 'pump' }],
  ['org-a', 'v1/telemetry/acme/pump', 'own', { organization: 'acme', device: 'pump' }],
  ['org-b', 'robots/r1/sensors/thermal/data', 'protobuf', { device: 'r1', sensorType: 'thermal' }],
  [
    'org-b',
    'uns/e/s/a/l/c/x/y/z',
    'uns',
    { enterprise: 'e', site: 's', area: 'a', line: 'l', cell: 'c', tag: 'x/y/z' },
  ],
  ['org-b', 'line/press/p1', 'special', { device: 'p1' }],
  ['org-b', 'line/paint/p1', 'general', { any: 'paint', device: 'p1' }],
  ['org-b', 'v1/telemetry/acme', null, null],
  ['org-b', 'v1/telemetry/acme/', null, null],
  ['org-b', 'v1/telemetry/acme/pump/more', null, null],
  ['org-b', 'off/x', null, null],
  ['org-b', '', null, null],
])('%s on %s', (organization, topic, codec, captures) => {
  const match = matcher.match(organization, topic);
  expect(match?.mapping.codec ?? null).toBe(codec);
  expect(match === null ? null : { ...match.captures }).toEqual(captures);
});

test('captures cannot reach a prototype', () => {
  expect(fillTemplate('{constructor}{toString}', matcher.match('org-b', 'line/x/y')!.captures)).toBe('');
});

test.each([
  ['a/{b}/c', null],
  ['a/{b+}', null],
  ['a/{b+}/c', '{b+} must be the last level'],
  ['a/{b}/{b}', '{b} stands twice'],
  ['a/+/c', 'neither literal'],
  ['a/#', 'neither literal'],
  ['a/x{b}', 'neither literal'],
])('pattern %s: %s', (pattern, problem) => {
  if (problem === null) expect(patternProblem(pattern)).toBeNull();
  else expect(patternProblem(pattern)).toContain(problem);
});
