#!/usr/bin/env node
// The launcher: finds Node 24 (this one, or the one that came with the packages), then runs the command line in it.
// Plain JavaScript, so that it starts on any Node.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const commandLine = join(root, 'packages', 'server', 'src', 'cli.ts');
const MAJOR_NEEDED = 24;
// Disk flushes, queries and password hashes share libuv's pool; with its default of four they would wait for each other.
const POOL_THREADS = '16';
// Starting makes much garbage; with V8's default the heap's young part would stay as large as that needed.
const HEAP_FLAGS = ['--max-semi-space-size=8'];

function bundledNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const file = process.platform === 'win32' ? 'node.exe' : 'node';
  const path = join(root, 'node_modules', `node-${platform}-${process.arch}`, 'bin', file);
  return existsSync(path) ? path : null;
}

function runIn(node) {
  const child = spawn(node, [...HEAP_FLAGS, commandLine, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? POOL_THREADS },
  });
  // A terminal sends Ctrl-C to the child as well; a service manager only to us. The server counts one stop once.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
  });
}

const own = Number(process.versions.node.split('.')[0]) >= MAJOR_NEEDED;
const node = own ? process.execPath : bundledNode();
if (node === null) {
  console.error(
    `fieldline needs Node.js ${MAJOR_NEEDED} or newer; this is ${process.version}, and no Node came with the packages for ` +
      `${process.platform}-${process.arch}. Install Node.js ${MAJOR_NEEDED}, or run \`npm ci\` without --omit=optional.`,
  );
  process.exit(1);
}
runIn(node);
