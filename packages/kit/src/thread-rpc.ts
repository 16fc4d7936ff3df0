/**
 * Calls between threads. One side exposes an object's methods on a message port, the other holds a typed stand-in whose
 * methods return promises. Errors keep their code. Buffers are copied unless the caller lists them with transfer().
 * Calls under way are limited; the one beyond is refused with OVERLOADED. When the port closes, open calls fail with STOPPED.
 */
import type { MessagePort, Transferable, Worker } from 'node:worker_threads';
import { type ErrorCode, FieldlineError, messageOf } from './errors.ts';

type Port = MessagePort | Worker;

/** The stand-in of T: every method answers with a promise. */
export type Remote<T> = {
  [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

interface Call {
  readonly rpc: 'call';
  readonly id: number;
  readonly method: string;
  readonly args: unknown[];
}
interface Reply {
  readonly rpc: 'reply';
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { code: ErrorCode | null; message: string; details: object };
}

const transfers = new WeakMap<object, Transferable[]>();

/** Marks a value (argument or result) so that these buffers move to the other thread instead of being copied. */
export function transfer<T extends object>(value: T, list: Transferable[]): T {
  transfers.set(value, list);
  return value;
}

function listOf(values: unknown[]): Transferable[] {
  return values.flatMap((value) => (typeof value === 'object' && value !== null ? (transfers.get(value) ?? []) : []));
}

/** Answers calls that come in on the port with the methods of `target`. Returns a function that ends it. */
export function expose(port: Port, target: object): () => void {
  const methods = target as Record<string, ((...args: unknown[]) => unknown) | undefined>;
  const listener = async (message: Call | Reply): Promise<void> => {
    if (message?.rpc !== 'call') return;
    let reply: Reply;
    let value: unknown;
    try {
      const method = methods[message.method];
      if (typeof method !== 'function')
        throw new FieldlineError('INTERNAL', `no method ${message.method} in this thread`);
      value = await method.apply(target, message.args);
      reply = { rpc: 'reply', id: message.id, value };
    } catch (error) {
      reply = { rpc: 'reply', id: message.id, error: pack(error) };
    }
    port.postMessage(reply, listOf([value]));
  };
  port.on('message', listener);
  return () => port.off('message', listener);
}

/** A stand-in for the object that is exposed at the other end. */
export function remote<T>(port: Port, callsMax = 10_000): Remote<T> {
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  let lastId = 0;
  let closed = false;
  port.on('message', (message: Call | Reply) => {
    if (message?.rpc !== 'reply') return;
    const call = open.get(message.id);
    open.delete(message.id);
    if (message.error === undefined) call?.resolve(message.value);
    else call?.reject(unpack(message.error));
  });
  const close = (): void => {
    closed = true;
    for (const call of open.values()) call.reject(new FieldlineError('STOPPED', 'the thread that was asked has ended'));
    open.clear();
  };
  port.on('close', close);
  port.on('exit', close);
  const call = (method: string, args: unknown[]): Promise<unknown> => {
    if (closed) return Promise.reject(new FieldlineError('STOPPED', `${method}: the thread that was asked has ended`));
    if (open.size >= callsMax) {
      return Promise.reject(new FieldlineError('OVERLOADED', `${method}: ${callsMax} calls are already under way`));
    }
    lastId += 1;
    const id = lastId;
    return new Promise((resolve, reject) => {
      open.set(id, { resolve, reject });
      port.postMessage({ rpc: 'call', id, method, args } satisfies Call, listOf(args));
    });
  };
  const methods = new Map<string, (...args: unknown[]) => Promise<unknown>>();
  return new Proxy({} as Remote<T> & object, {
    get(_, name) {
      if (typeof name !== 'string' || name === 'then') return undefined;
      let method = methods.get(name);
      if (method === undefined) {
        method = (...args) => call(name, args);
        methods.set(name, method);
      }
      return method;
    },
  });
}

function pack(error: unknown): NonNullable<Reply['error']> {
  if (error instanceof FieldlineError)
    return { code: error.code, message: error.message, details: { ...error.details } };
  return { code: null, message: messageOf(error), details: error instanceof Error ? { stack: error.stack } : {} };
}

function unpack(error: NonNullable<Reply['error']>): Error {
  const details = error.details as Record<string, unknown>;
  return new FieldlineError(error.code ?? 'INTERNAL', error.message, { details });
}
