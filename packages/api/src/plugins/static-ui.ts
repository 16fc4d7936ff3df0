/**
 * The built UI: files as they are (assets carry their hash in the name and never change), index.html for every other page
 * that a browser asks for. Where the UI is not built, a page that says what to do. Also answers what no route knows.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiSettings } from '../settings.ts';
import { problemOf, sendProblem } from './problems.ts';

const NOT_BUILT = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Fieldline</title>
<style>body{font:16px/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}code{background:#8882;padding:.1em .3em}</style>
<h1>Fieldline is running</h1><p>The user interface has not been built. Build it and start again:</p>
<p><code>npm run build:ui</code></p><p>The api is at <a href="/docs">/docs</a>, the state of each part at
<a href="/health/ready">/health/ready</a>.</p></html>`;

/** Serves settings.uiDir at /, and problems for everything that is not there. */
export async function registerStaticUi(app: FastifyInstance, { uiDir }: ApiSettings): Promise<void> {
  const built = uiDir !== null && existsSync(join(uiDir, 'index.html'));
  if (built) {
    await app.register(fastifyStatic, {
      root: uiDir,
      index: false,
      cacheControl: false,
      setHeaders: (reply, path) => {
        const immutable = path.includes('/assets/');
        reply.header('cache-control', immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
    });
  }
  const page = async (): Promise<string> => (built ? readFile(join(uiDir, 'index.html'), 'utf8') : NOT_BUILT);
  app.get('/', (_request, reply) => sendPage(reply, page));
  app.setNotFoundHandler((request, reply) =>
    asksForPage(request) ? sendPage(reply, page) : sendNotFound(request, reply),
  );
}

/** Browsers that go to a page ask for text/html; scripts, programs and missing assets do not. */
function asksForPage({ method, url, headers }: FastifyRequest): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  if (/^\/(api|live|health|metrics|docs|assets)(\/|\?|$)/.test(url)) return false;
  return headers.accept?.includes('text/html') === true;
}

async function sendPage(reply: FastifyReply, page: () => Promise<string>): Promise<FastifyReply> {
  return reply
    .code(200)
    .header('cache-control', 'no-cache')
    .type('text/html; charset=utf-8')
    .send(await page());
}

function sendNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split('?', 1)[0]!.slice(0, 200);
  const detail = `${request.method} ${path} is no route; /docs lists them`;
  return sendProblem(reply, problemOf('NOT_FOUND', 404, 'Not found', detail));
}
