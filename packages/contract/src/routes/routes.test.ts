/** Rules that hold for the whole route table. */
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { PERMISSIONS } from '../route.ts';
import { listRoutes } from './index.ts';

describe('route table', () => {
  it('names each method and path once', () => {
    const names = listRoutes().map(({ route }) => `${route.method} ${route.path}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(listRoutes().map((entry) => [`${entry.group}.${entry.name}`, entry.route] as const))('%s', (_, route) => {
    const inPath = [...route.path.matchAll(/:([A-Za-z]+)/g)].map((match) => match[1]);
    const params = (route.params ?? { properties: {} }) as { properties?: object };
    expect(Object.keys(params.properties ?? {})).toEqual(inPath);
    if (route.permission !== null) expect(PERMISSIONS).toContain(route.permission);
    if (route.status === 204) expect(route.answer).toBeNull();
    for (const schema of [route.params, route.query, route.body, route.answer]) {
      if (schema !== undefined && schema !== null) Compile(schema);
    }
  });
});
