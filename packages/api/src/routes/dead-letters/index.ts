/** Dead letters: list, look, replay. */
import type { DeadLetter } from '@fieldline/contract';
import { microsToIso } from '@fieldline/model';
import type { DeadLetterItem } from '../../dependencies.ts';
import type { ApiContext, GroupHandlers } from '../../handlers.ts';
import { userIdOf } from '../../principal.ts';
import { defined, found, isoOrNull } from '../../text.ts';

const PREVIEW_BYTES_MAX = 512;
const decoder = new TextDecoder();

export function deadLetterHandlers(context: ApiContext): GroupHandlers<'deadLetters'> {
  return {
    list: async ({ query, principal }) => {
      const { organizationId } = principal;
      const page = await context.deadLetters.list({ ...defined(query), organizationId, limit: query.limit ?? 100 });
      return { items: page.items.map(letterJson), nextCursor: page.nextCursor };
    },

    get: async ({ params, principal }) => {
      const item = await context.deadLetters.get(principal.organizationId, params.deadLetterId);
      const letter = found(item, 'dead letter', params.deadLetterId);
      return { ...letterJson(letter), payload: Buffer.from(letter.payload).toString('base64') };
    },

    replay: async ({ body, principal }) => {
      const select = 'ids' in body ? { ids: body.ids } : { filter: defined(body.filter) };
      const { organizationId } = principal;
      const answer = await context.deadLetters.replay({ organizationId, userId: userIdOf(principal), select });
      return { replayed: answer.replayed, notFound: [...answer.notFound] };
    },
  };
}

function letterJson(item: DeadLetterItem): DeadLetter {
  const { payload, receivedTime, deadTime, replayedAt, rejections, ...rest } = item;
  return {
    id: rest.id,
    organizationId: rest.organizationId,
    createdAt: microsToIso(deadTime),
    updatedAt: microsToIso(replayedAt ?? deadTime),
    receivedTime: microsToIso(receivedTime),
    code: rest.code,
    message: rest.message,
    topic: rest.topic,
    deviceId: rest.deviceId,
    codec: rest.codec,
    source: rest.source,
    partial: rest.partial,
    rejections: rejections.map((rejection) => ({ ...rejection })),
    byteLength: payload.length,
    preview: decoder.decode(payload.subarray(0, PREVIEW_BYTES_MAX)),
    replayedAt: isoOrNull(replayedAt),
  };
}
