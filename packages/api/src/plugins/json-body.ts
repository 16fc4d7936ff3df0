/**
 * JSON bodies. In: the text of a body; out: its value, or BAD_REQUEST that says what is the matter and where. Keys by which a
 * prototype could be reached are refused at every depth, so that no handler needs to think of them.
 */
import { FieldlineError, messageOf } from '@fieldline/kit';
import type { FastifyInstance } from 'fastify';

/** What a text must have in it, plain or escaped, to have such a key. */
const SUSPECT = /__proto__|prototype|\\u/;

/** Takes over from the framework's own parser, which says of such keys that the body is not JSON. */
export function registerJsonBody(app: FastifyInstance): void {
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    try {
      done(null, parseBody(text as string));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** The value of a body. Throws BAD_REQUEST. */
export function parseBody(text: string): unknown {
  if (text.trim() === '') {
    const detail =
      'content-type is application/json but the body is empty; send a JSON document or leave content-type out';
    throw new FieldlineError('BAD_REQUEST', detail);
  }
  let value: unknown;
  try {
    value = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch (error) {
    throw new FieldlineError('BAD_REQUEST', `the body is not JSON: ${messageOf(error)}`);
  }
  const path = SUSPECT.test(text) ? pathOfPrototype(value) : null;
  if (path === null) return value;
  const message =
    'is a key that is not taken ("__proto__", or "constructor" with a "prototype" in it); call it something else';
  throw new FieldlineError('BAD_REQUEST', `${path} ${message}`, { details: { errors: [{ path, message }] } });
}

/** Where the first such key stands; null where there is none. JSON.parse makes own properties of them: they do nothing yet. */
function pathOfPrototype(body: unknown): string | null {
  const toLook: (readonly [path: string, value: unknown])[] = [['body', body]];
  for (let next = toLook.pop(); next !== undefined; next = toLook.pop()) {
    const [path, value] = next;
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      const isConstructor = key === 'constructor' && typeof inner === 'object' && inner !== null;
      if (key === '__proto__' || (isConstructor && Object.hasOwn(inner, 'prototype'))) return `${path}/${key}`;
      toLook.push([`${path}/${key}`, inner]);
    }
  }
  return null;
}
