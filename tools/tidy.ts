/**
 * Rules of this repository that a machine can check: arrows between packages, one home per driver library, addresses in
 * the lock file, marks of unfinished work, length of files. Prints each breach as file:line and what to do; exit 1 on any.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ARROWS, DRIVER_HOMES } from './arrows.ts';

/** A table may be longer; a file that is not a table and passes this should be split by meaning. */
const FILE_LINES_MAX = 500;
/** Tests and suites are tables of cases. */
const TEST_LINES_MAX = 900;
const TEST_FILE = /\.(test|bench)\.tsx?$|\/test(ing)?\/|conformance/;
const UNFINISHED = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`);
const SKIPPED_TEST = /\b(it|test|describe)\.(skip|only|todo)\b/;
const IMPORT =
  /(?:^|\s)(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|^import\s+['"]([^'"]+)['"]/g;

/** All breaches, as lines for people. */
export function breaches(): string[] {
  const files = execFileSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.tsx', '*.js'],
    { encoding: 'utf8' },
  )
    .split('\n')
    .filter((file) => file !== '' && !file.includes('/generated/'));
  return [...files.flatMap(breachesOfFile), ...lockFileBreaches()];
}

function breachesOfFile(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return []; // Deleted in the work tree, not yet in the index.
  }
  const lines = text.split('\n');
  const found = lines.flatMap((line, index) => {
    const at = `${file}:${index + 1}`;
    if (UNFINISHED.test(line)) return [`${at}: unfinished work is an issue, not a mark in the code`];
    if (SKIPPED_TEST.test(line)) return [`${at}: a skipped or focused test proves nothing; mend or delete it`];
    return [];
  });
  const linesMax = TEST_FILE.test(file) ? TEST_LINES_MAX : FILE_LINES_MAX;
  if (lines.length > linesMax) found.push(`${file}:1: ${lines.length} lines; split it by meaning (limit ${linesMax})`);
  return [...found, ...importBreaches(file, text)];
}

function importBreaches(file: string, text: string): string[] {
  const from = /^packages\/([^/]+)\/(src|build)/.exec(file)?.[1];
  if (from === undefined) return [];
  const isTest = TEST_FILE.test(file);
  const found: string[] = [];
  for (const match of text.matchAll(IMPORT)) {
    const target = match[1] ?? match[2] ?? match[3]!;
    const line = text.slice(0, match.index).split('\n').length + (match[0].startsWith('\n') ? 1 : 0);
    const station = /^@fieldline\/([a-z]+)/.exec(target)?.[1];
    if (station !== undefined && station !== from && !isTest && !ARROWS[from]?.includes(station)) {
      found.push(`${file}:${line}: ${from} may not import ${station} (tools/arrows.ts); let server hand it over`);
    }
    if (target.startsWith('.') && /\.\.\/\.\.\/[a-z]+\/src/.test(target)) {
      found.push(`${file}:${line}: reach another package by its name, not by a path`);
    }
    const library = target.startsWith('@') ? target.split('/', 2).join('/') : target.split('/', 1)[0]!;
    const homes = [DRIVER_HOMES[library] ?? []].flat();
    if (homes.length > 0 && !homes.includes(from) && !isTest) {
      found.push(`${file}:${line}: ${library} is named in packages/${homes.join(' and ')} only (tools/arrows.ts)`);
    }
  }
  return found;
}

function lockFileBreaches(): string[] {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { resolved?: string }>;
  };
  return Object.entries(lock.packages)
    .filter(([, entry]) => entry.resolved !== undefined && /^[a-z+]+:\/\//.test(entry.resolved))
    .map(
      ([name]) =>
        `package-lock.json: ${name} names a download address; run npm with omit-lockfile-registry-resolved (.npmrc sets it)`,
    );
}

if (import.meta.main) {
  const found = breaches();
  for (const line of found) console.error(line);
  console.log(found.length === 0 ? 'tidy: nothing to mend' : `tidy: ${found.length} to mend`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
