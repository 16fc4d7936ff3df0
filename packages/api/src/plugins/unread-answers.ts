/**
 * Answers whose callers do not read them: bounded for each connection and in all, ended when nothing of them is read for too
 * long. Full: whoever has had a large answer for a while without reading it is cut off; where there is nobody such, a further
 * large answer is refused with OVERLOADED. Streams (files of the UI) hold themselves back and are not counted.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { FieldlineError, type Metrics } from '@fieldline/kit';
import type { FastifyInstance } from 'fastify';
import type { ApiSettings } from '../settings.ts';

/** Smaller answers find room in the kernel: they are not looked after. */
const LARGE_BYTES = 64 * 1024;
/** So long everybody may take. */
const SLOW_MS = 5_000;

interface UnreadAnswer {
  readonly response: ServerResponse;
  readonly socket: Socket;
  readonly bytes: number;
  readonly sinceMs: number;
}

/** Requests under way and bytes of large answers, by connection. */
interface Connection {
  requests: number;
  bytes: number;
}

export function registerUnreadAnswers(app: FastifyInstance, settings: ApiSettings, metrics: Metrics): void {
  const unread = new UnreadAnswers(settings, metrics);
  app.addHook('onRequest', (request, reply, done) => done(unread.begin(request.raw.socket, reply.raw)));
  app.addHook('onSend', (_request, reply, payload, done) => {
    const length = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.length : 0;
    const problem = length < LARGE_BYTES ? undefined : unread.add(reply.raw, length);
    if (problem === undefined) done(null, payload);
    else done(problem);
  });
}

class UnreadAnswers {
  readonly #settings: ApiSettings;
  readonly #connections = new WeakMap<Socket, Connection>();
  /** In the order in which they were given. */
  readonly #answers = new Set<UnreadAnswer>();
  readonly #cut: ReturnType<Metrics['counter']>;
  #bytes = 0;

  constructor(settings: ApiSettings, metrics: Metrics) {
    this.#settings = settings;
    this.#cut = metrics.counter('api_answers_cut_total', 'Large answers that were cut off because nobody read them');
    metrics.gauge('api_unread_answer_bytes', 'Bytes of large answers that are not read yet', [], (gauge) =>
      gauge.set(this.#bytes),
    );
    metrics.gauge('api_unread_answer_limit_bytes', 'Most bytes of them', [], (gauge) =>
      gauge.set(settings.unreadAnswerBytesMax),
    );
  }

  /** A request begins; an error where its connection has too many under way. */
  begin(socket: Socket, response: ServerResponse): FieldlineError | undefined {
    let connection = this.#connections.get(socket);
    if (connection === undefined) {
      connection = { requests: 0, bytes: 0 };
      this.#connections.set(socket, connection);
    }
    connection.requests += 1;
    response.once('close', () => {
      connection.requests -= 1;
    });
    const { requestsPerConnectionMax } = this.#settings;
    if (connection.requests <= requestsPerConnectionMax) return undefined;
    const message = `${requestsPerConnectionMax} requests are under way on this connection; wait for their answers`;
    return new FieldlineError('OVERLOADED', message, { details: { retryAfterSeconds: 1 } });
  }

  /** A large answer is about to be sent; an error where there is no room for it. */
  add(response: ServerResponse, bytes: number): FieldlineError | undefined {
    const { unreadAnswerBytesMax, unreadAnswerBytesPerConnectionMax, answerStalledTimeoutMs } = this.#settings;
    const { socket } = response.req;
    const connection = this.#connections.get(socket)!;
    if (this.#bytes + bytes > unreadAnswerBytesMax) this.#cutSlow(this.#bytes + bytes - unreadAnswerBytesMax);
    // The first answer of a connection has room in any case: one that is larger than the limit could never be given.
    const isOver = connection.bytes > 0 && connection.bytes + bytes > unreadAnswerBytesPerConnectionMax;
    if (isOver || (this.#bytes > 0 && this.#bytes + bytes > unreadAnswerBytesMax)) {
      const whose = isOver ? 'this connection has' : 'callers have';
      const message = `${whose} too many large answers that are not read yet; read them, or ask again later`;
      return new FieldlineError('OVERLOADED', message, { details: { retryAfterSeconds: 5 } });
    }
    const answer = { response, socket, bytes, sinceMs: performance.now() };
    this.#answers.add(answer);
    this.#bytes += bytes;
    connection.bytes += bytes;
    response.once('close', () => {
      this.#answers.delete(answer);
      this.#bytes -= bytes;
      connection.bytes -= bytes;
    });
    // Begins anew with every byte that the kernel takes; at its end the socket is destroyed.
    response.setTimeout(answerStalledTimeoutMs, () => this.#cutOff(answer));
    return undefined;
  }

  /** Cuts off those who have had their answer for a while, the oldest first, until so many bytes are free. */
  #cutSlow(bytes: number): void {
    let wanted = bytes;
    for (const answer of this.#answers) {
      if (wanted <= 0 || performance.now() - answer.sinceMs < SLOW_MS) return;
      wanted -= answer.bytes;
      this.#cutOff(answer);
    }
  }

  #cutOff({ socket }: UnreadAnswer): void {
    this.#cut.inc();
    socket.destroy();
  }
}
