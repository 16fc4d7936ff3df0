/**
 * `fieldline audit verify`: goes through the audit trail's chain of hashes, of every organisation: in the data folder of a
 * stopped server, in the PostgreSQL database that is configured, or of a running server (--url). Exit codes: 0 whole,
 * 1 something was changed, taken out or cut off, 2 it cannot look.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type AuditVerification, type Organization, openCatalog } from '@fieldline/catalog';
import { createClient } from '@fieldline/contract';
import { FieldlineError, messageOf, silentLogger } from '@fieldline/kit';
import { type ConfigSources, loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { lockDataFolder } from '../data-folder.ts';
import { catalogOptions } from '../parts/catalog-options.ts';

export interface AuditFlags {
  readonly url?: string;
  readonly apiKey?: string;
  /** Slug. */
  readonly organization?: string;
  /** `sequence:hash` of an entry that was noted earlier. */
  readonly expect?: string;
  readonly json?: boolean;
}

type Noted = AuditVerification['head'];

interface Verified extends AuditVerification {
  readonly organization: string;
}

const WHOLE = 0;
const BROKEN = 1;
const CANNOT_LOOK = 2;

/** Prints what was found and sets the exit code. */
export async function auditVerifyCommand(sources: ConfigSources, flags: AuditFlags): Promise<void> {
  try {
    const noted = flags.expect === undefined ? undefined : notedOf(flags.expect);
    const found = flags.url === undefined ? await verifyHere(sources, flags, noted) : [await askServer(flags, noted)];
    if (flags.json === true) console.log(JSON.stringify(found, null, 2));
    else console.log(found.flatMap(linesOf).join('\n'));
    process.exitCode = found.every(({ problems }) => problems.length === 0) ? WHOLE : BROKEN;
  } catch (error) {
    console.error(`fieldline audit: ${messageOf(error)}`);
    process.exitCode = CANNOT_LOOK;
  }
}

function notedOf(text: string): Noted {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  if (match === null) {
    throw new FieldlineError('BAD_REQUEST', `--expect ${text}: give the number and the hash of an entry, as 17:3f…`);
  }
  return { sequence: Number(match[1]), hash: match[2]! };
}

async function askServer({ url, apiKey }: AuditFlags, noted: Noted | undefined): Promise<Verified> {
  if (apiKey === undefined) {
    throw new FieldlineError(
      'BAD_REQUEST',
      '--api-key is missing; make one with the scope audit:read under Settings → API keys',
    );
  }
  return createClient({ baseUrl: url!, apiKey }).audit.verify(noted);
}

async function verifyHere(sources: ConfigSources, flags: AuditFlags, noted: Noted | undefined): Promise<Verified[]> {
  const { config } = loadConfig(sources);
  const release = takeFolder(config);
  try {
    const catalog = await openCatalog(catalogOptions(config, silentLogger));
    try {
      const found: Verified[] = [];
      for (const { id, slug } of chosenOf(await catalog.system.organizations.list(), flags, noted)) {
        const verified = await catalog.scoped({ organizationId: id, siteIds: null }).audit.verify(noted);
        found.push({ organization: slug, ...verified });
      }
      return found;
    } finally {
      await catalog.close();
    }
  } finally {
    release();
  }
}

function chosenOf(
  organizations: readonly Organization[],
  flags: AuditFlags,
  noted: Noted | undefined,
): readonly Organization[] {
  const chosen = organizations.filter(({ slug }) => flags.organization === undefined || slug === flags.organization);
  if (chosen.length === 0) {
    const known = organizations.map(({ slug }) => slug).join(', ');
    throw new FieldlineError('NOT_FOUND', `there is no organization ${flags.organization ?? ''}; there are: ${known}`);
  }
  if (noted === undefined || chosen.length === 1) return chosen;
  throw new FieldlineError(
    'BAD_REQUEST',
    'there are several organizations; say with --organization whose entry --expect names',
  );
}

/** The embedded catalog belongs to one process; of a running server its own door is asked. */
function takeFolder({ catalog, dataDir }: Config): () => void {
  if (catalog.adapter !== 'pglite') return () => {};
  if (!existsSync(join(dataDir, 'catalog', 'PG_VERSION'))) {
    throw new FieldlineError('CONFIG_INVALID', `${dataDir} holds no catalog; name the data folder (--data-dir)`);
  }
  try {
    const folder = lockDataFolder(dataDir);
    return () => folder.release();
  } catch (error) {
    throw new FieldlineError('DATA_DIR_LOCKED', `${messageOf(error)}; or ask the running server: --url and --api-key`);
  }
}

function linesOf({ organization, count, head, problems }: Verified): string[] {
  if (problems.length === 0) return [`${organization}: whole, ${count} entries; newest ${head.sequence}:${head.hash}`];
  return [
    `${organization}: ${problems.length} problems in ${count} entries`,
    ...problems.map((problem) => `  - ${problem}`),
  ];
}
