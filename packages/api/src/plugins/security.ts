/** Security headers for every answer: a content policy under which the built UI runs, HSTS only where people come by https. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';
import type { ApiSettings } from '../settings.ts';

/** Sets the headers. Inline scripts of the UI's index.html are allowed by their hash, nothing else is. */
export async function registerSecurity(app: FastifyInstance, settings: ApiSettings): Promise<void> {
  const https = settings.publicUrl?.startsWith('https:') === true;
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'", ...(await inlineScriptHashes(settings.uiDir))],
        // Mantine and uPlot set styles on elements.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:', 'blob:'],
        fontSrc: ["'self'", 'data:'],
        connectSrc: ["'self'", ...liveSources(settings.publicUrl)],
        workerSrc: ["'self'", 'blob:'],
        objectSrc: ["'none'"],
        baseUri: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    strictTransportSecurity: https ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    crossOriginEmbedderPolicy: false,
    // Over plain http browsers ignore these two and say so in the console.
    crossOriginOpenerPolicy: https,
    originAgentCluster: https,
    referrerPolicy: { policy: 'same-origin' },
    xFrameOptions: { action: 'deny' },
  });
}

function liveSources(publicUrl: string | null): string[] {
  return publicUrl === null ? [] : [new URL(publicUrl).origin.replace(/^http/, 'ws')];
}

async function inlineScriptHashes(uiDir: string | null): Promise<string[]> {
  if (uiDir === null) return [];
  // A UI that is not built yet has no index.html, and so no scripts.
  const html = await readFile(join(uiDir, 'index.html'), 'utf8').catch(() => '');
  const scripts = [...html.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g)];
  return scripts.map(([, text]) => `'sha256-${createHash('sha256').update(text!).digest('base64')}'`);
}
