/**
 * Completes package-lock.json after `npm install`: npm leaves out optional packages of other platforms when its registry does
 * not carry them, and `npm ci` then refuses the file. This adds an entry for each, with version, system and processor as
 * the package's own name tells them. Run it after every change of dependencies: `node tools/complete-lock.ts [folder]`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockEntry {
  version?: string;
  optional?: boolean;
  dev?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  license?: string;
  optionalDependencies?: Record<string, string>;
}

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32', 'aix'];
const PROCESSORS = ['arm64', 'arm', 'x64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32'];
/** What names call a system or a processor beside its usual name. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  win: 'win32',
  windows: 'win32',
  aarch64: 'arm64',
  x86: 'ia32',
  armv7: 'arm',
  ppc64le: 'ppc64',
  wasi: 'wasm32',
};

const file = join(process.argv[2] ?? '.', 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, LockEntry> };
let added = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isThere(path, name)) continue;
    lock.packages[`node_modules/${name}`] = entryOf(name, version, entry);
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`complete-lock: ${added} optional packages of other platforms added`);

/** Whether the dependency of the package at `path` resolves to an entry, in its own folder or one above. */
function isThere(path: string, name: string): boolean {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (lock.packages[at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`] !== undefined) return true;
    if (at === '' || !at.includes('node_modules/')) return lock.packages[`node_modules/${name}`] !== undefined;
  }
}

function entryOf(name: string, version: string, parent: LockEntry): LockEntry {
  const words = name
    .split('/')
    .at(-1)!
    .split('-')
    .map((word) => OTHER_NAMES[word] ?? word);
  const os = words.filter((word) => SYSTEMS.includes(word));
  const cpu = words
    .map((word) => (word.startsWith('arm') && word !== 'arm64' ? 'arm' : word))
    .filter((word) => PROCESSORS.includes(word));
  return {
    version: version.replace(/^[^\d]*/, ''),
    ...(cpu.length > 0 && { cpu: [cpu[0]!] }),
    ...(parent.dev === true && { dev: true }),
    ...(parent.license !== undefined && { license: parent.license }),
    optional: true,
    // A name without a system (universal builds) belongs to none of those that are tested here.
    os: os.length > 0 ? [os[0]!] : ['darwin'],
  };
}
