/** The text of the typed client, from the route table. Pure; generate.ts writes it, a test compares it. */
import type { RouteDefinition } from '../route.ts';
import { listRoutes } from '../routes/index.ts';

const HEADER = `/** Generated from the route table by \`node packages/contract/generate.ts\`; change the schemas, not this file. */
import { type ClientOptions, createSend, type RequestOptions } from '../client/http.ts';
import type { Answer, Body, Query } from '../client/types.ts';

/** A client of the REST api. Methods reject with ProblemError. */
export function createClient(clientOptions: ClientOptions = {}) {
  const send = createSend(clientOptions);
  return {
`;
const FOOTER = `  };
}
export type Client = ReturnType<typeof createClient>;
`;

/** The whole source file src/generated/client.ts. */
export function renderClient(): string {
  const groups = new Map<string, string[]>();
  for (const { group, name, route } of listRoutes()) {
    const methods = groups.get(group) ?? [];
    groups.set(group, methods);
    methods.push(renderMethod(group, name, route));
  }
  const body = [...groups].map(([group, methods]) => `    ${group}: {\n${methods.join('')}    },\n`).join('');
  return HEADER + body + FOOTER;
}

function renderMethod(group: string, name: string, route: RouteDefinition): string {
  const type = `<'${group}', '${name}'>`;
  const names = [...route.path.matchAll(/:([A-Za-z]+)/g)].map((match) => match[1]!);
  const parameters = names.map((parameter) => `${parameter}: string`);
  if (route.body !== undefined) parameters.push(bodyParameter(route, type));
  if (route.query !== undefined) parameters.push(`query: Query${type} = {}`);
  parameters.push('options?: RequestOptions');
  const path = route.path.replace(/:([A-Za-z]+)/g, (_, parameter: string) => `\${encodeURIComponent(${parameter})}`);
  const request = [
    `method: '${route.method}'`,
    `path: ${names.length > 0 ? `\`${path}\`` : `'${path}'`}`,
    ...(route.query === undefined ? [] : ['query']),
    ...(route.body === undefined ? [] : ['body']),
    ...(route.mediaType === undefined ? [] : ['text: true']),
    ...(route.permission === null ? ['withoutRefresh: true'] : []),
  ].join(', ');
  const answer = route.answer === null ? 'void' : `Answer${type}`;
  return `      /** ${route.summary}. ${route.method} ${route.path} */
      ${name}: (${parameters.join(', ')}) =>
        send({ ${request} }, options) as Promise<${answer}>,
`;
}

function bodyParameter(route: RouteDefinition, type: string): string {
  return '~optional' in route.body! ? `body: Body${type} = {}` : `body: Body${type}`;
}
