/** The audit trail: a page of it, and whether it is whole. That a person reads it is noted in it. */
import type { AuditEntry as AuditRow } from '@fieldline/catalog';
import type { AuditEntry } from '@fieldline/contract';
import { microsToIso } from '@fieldline/model';
import type { GroupHandlers } from '../../handlers.ts';
import { badRequest, defined, parseRange } from '../../text.ts';

const PROBLEMS_MAX = 100;

export function auditHandlers(): GroupHandlers<'audit'> {
  return {
    list: async ({ query, catalog, principal }) => {
      const { startTime, endTime, ...rest } = query;
      const page = await catalog.audit.list(defined({ ...rest, ...parseRange({ startTime, endTime }) }));
      // A page that goes on is of the reading that was noted with the first. A program that fetches the trail would find itself in it for ever.
      if (query.cursor === undefined && principal.kind === 'user') {
        await catalog.audit.note({ action: 'read', subjectKind: 'audit', subjectId: 'trail', details: { ...query } });
      }
      return { items: page.items.map(entryJson), nextCursor: page.nextCursor };
    },

    verify: async ({ query: { sequence, hash }, catalog }) => {
      if ((sequence === undefined) !== (hash === undefined)) {
        throw badRequest('query', 'sequence and hash of a noted entry are given together, or neither');
      }
      const noted = sequence === undefined || hash === undefined ? undefined : { sequence, hash };
      const { count, head, problems } = await catalog.audit.verify(noted);
      const { slug } = await catalog.organization.get();
      return {
        organization: slug,
        whole: problems.length === 0,
        count,
        head: { ...head },
        problems: problems.slice(0, PROBLEMS_MAX),
      };
    },
  };
}

function entryJson({ time, actor, before, after, ...rest }: AuditRow): AuditEntry {
  return {
    ...rest,
    time: microsToIso(time),
    actor: { kind: actor.kind, id: actor.id ?? null, address: actor.address ?? null },
    before: before === null ? null : { ...before },
    after: after === null ? null : { ...after },
  };
}
