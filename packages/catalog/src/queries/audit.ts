/** The audit trail: read, noted in by hand where nothing in the database changes, and verified. Its entries are written by triggers. */
import { createHash } from 'node:crypto';
import { and, desc, eq, gte, lt, type SQL, sql } from 'drizzle-orm';
import type { AuditCatalog, Scope } from '../catalog.ts';
import type { Database, Queries } from '../database/database.ts';
import type { AuditEntry, AuditFilter, AuditNote, AuditVerification } from '../rows.ts';
import { auditEntries, auditHeads } from '../schema/index.ts';
import { checkJson, checkLimit, refuse } from '../validate.ts';

const ENTRIES_LIMIT_DEFAULT = 100;
const ENTRIES_PER_READ = 1000;
const WORD_LENGTH_MAX = 256;

export function auditCatalog(database: Database, scope: Scope): AuditCatalog {
  return {
    async list(filter = {}) {
      const limit = checkLimit(filter.limit ?? ENTRIES_LIMIT_DEFAULT);
      const condition = conditionOf(filter);
      return database.transaction(scope, async (queries) => {
        const rows = await queries
          .select()
          .from(auditEntries)
          .where(condition)
          .orderBy(desc(auditEntries.sequence))
          .limit(limit + 1);
        const items = rows.slice(0, limit).map(entryOf);
        return { items, nextCursor: rows.length > limit ? cursorOf(items.at(-1)!) : null };
      });
    },

    async note(note) {
      const { action, subjectKind, subjectId } = note;
      for (const [name, word] of Object.entries({ action, subjectKind, subjectId })) {
        if (word.length === 0 || word.length > WORD_LENGTH_MAX)
          refuse(name, `must have 1 to ${WORD_LENGTH_MAX} characters`);
      }
      checkJson(note.details ?? {}, 'details');
      await database.transaction(scope, (queries) => appendNote(queries, scope.organizationId, note));
    },

    verify: (expected) => verify(database, scope, expected),
  };
}

/** An entry of what changes no row. */
export async function appendNote(queries: Queries, organizationId: string, note: AuditNote): Promise<void> {
  const { action, subjectKind, subjectId, details = {} } = note;
  await queries.execute(
    sql`call fieldline.audit(${organizationId}::uuid, ${action}, ${subjectKind}, ${subjectId}, null, ${JSON.stringify(details)}::jsonb)`,
  );
}

interface Link {
  readonly sequence: number;
  readonly content: string;
  readonly hash: string;
}

/** One statement sees one moment: what comes meanwhile is in the head and among the entries, or in neither. */
async function readAfter(
  database: Database,
  scope: Scope,
  after: number,
): Promise<{ readonly links: readonly Link[]; readonly head: AuditVerification['head'] }> {
  const { rows } = await database.transaction(scope, (queries) =>
    queries.execute<Record<'head' | 'head_hash' | 'sequence' | 'content' | 'hash', string | null>>(sql`
      select h.sequence::text as head, h.hash as head_hash, e.sequence::text as sequence, e.content, e.hash
      from ${auditHeads} h left join lateral (
        select sequence, content::text as content, hash from ${auditEntries} own
        where own.organization_id = h.organization_id and own.sequence > ${after}
        order by own.sequence limit ${ENTRIES_PER_READ}
      ) e on true order by e.sequence`),
  );
  const [first] = rows;
  return {
    head: first === undefined ? { sequence: 0, hash: '' } : { sequence: Number(first.head), hash: first.head_hash! },
    links: rows
      .filter(({ content }) => content !== null)
      .map(({ sequence, content, hash }) => ({ sequence: Number(sequence), content: content!, hash: hash! })),
  };
}

/**
 * Goes through the chain from its beginning. `expected`: an entry that was noted elsewhere earlier (its number and hash), which
 * tells a trail that was cut off or written anew as a whole.
 */
async function verify(
  database: Database,
  scope: Scope,
  expected: AuditVerification['head'] | undefined,
): Promise<AuditVerification> {
  const problems: string[] = [];
  let last = { sequence: 0, hash: '' };
  for (;;) {
    const { links, head } = await readAfter(database, scope, last.sequence);
    for (const link of links) {
      problems.push(...problemsOf(link, last));
      if (link.sequence === expected?.sequence && link.hash !== expected.hash) {
        problems.push(
          `entry ${link.sequence} has another hash than the one that was noted: the trail was written anew`,
        );
      }
      last = { sequence: link.sequence, hash: link.hash };
    }
    if (links.length === ENTRIES_PER_READ) continue;
    if (last.sequence !== head.sequence || last.hash !== head.hash) {
      problems.push(
        `the trail ends with entry ${last.sequence}, but ${head.sequence} were written: its end is missing`,
      );
    }
    if (expected !== undefined && expected.sequence > last.sequence) {
      problems.push(`entry ${expected.sequence}, which was noted, is missing: the trail ends with ${last.sequence}`);
    }
    return { count: last.sequence, head: last, problems };
  }
}

function problemsOf({ sequence, content, hash }: Link, last: { sequence: number; hash: string }): string[] {
  if (sequence !== last.sequence + 1) return [`entries ${last.sequence + 1} to ${sequence - 1} are missing`];
  const { previous } = JSON.parse(content) as { previous: string };
  return [
    ...(createHash('sha256').update(content).digest('hex') === hash ? [] : [`entry ${sequence} was changed`]),
    ...(previous === last.hash ? [] : [`entry ${sequence} does not follow entry ${last.sequence} as that stands now`]),
  ];
}

function entryOf({ content, hash }: typeof auditEntries.$inferSelect): AuditEntry {
  const { sequence, time, actor, action, subject, before, after } = content;
  return { sequence, time, actor, action, subjectKind: subject.kind, subjectId: subject.id, before, after, hash };
}

function conditionOf({ actorId, action, subjectKind, subjectId, from, to, cursor }: AuditFilter): SQL | undefined {
  return and(
    actorId === undefined ? undefined : eq(auditEntries.actorId, actorId),
    action === undefined ? undefined : eq(auditEntries.action, action),
    subjectKind === undefined ? undefined : eq(auditEntries.subjectKind, subjectKind),
    subjectId === undefined ? undefined : eq(auditEntries.subjectId, subjectId),
    from === undefined ? undefined : gte(auditEntries.time, from),
    to === undefined ? undefined : lt(auditEntries.time, to),
    cursor === undefined ? undefined : lt(auditEntries.sequence, sequenceOf(cursor)),
  );
}

function cursorOf({ sequence }: AuditEntry): string {
  return Buffer.from(String(sequence)).toString('base64url');
}

function sequenceOf(cursor: string): number {
  const text = Buffer.from(cursor, 'base64url').toString();
  return /^\d{1,15}$/.test(text) ? Number(text) : refuse('cursor', 'is none that was given out');
}
