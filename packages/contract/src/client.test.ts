/** The client is what the schemas say, and a program can rely on how it asks, refreshes and fails. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { createClient, ProblemError } from './client.ts';
import { renderClient } from './generate/render-client.ts';
import { listRoutes } from './routes/index.ts';

interface Call {
  url: string;
  init: RequestInit;
}

function recording(answers: Response[]): { calls: Call[]; fetch: typeof fetch } {
  const calls: Call[] = [];
  const answer = (url: unknown, init: RequestInit = {}): Promise<Response> => {
    calls.push({ url: String(url), init });
    return Promise.resolve(answers.shift() ?? Response.json({}));
  };
  return { calls, fetch: answer as typeof fetch };
}

const problem = { type: '/problems/unauthenticated', title: 'x', status: 401, detail: 'd', code: 'UNAUTHENTICATED' };

describe('generated client', () => {
  it('is what the route table says', async () => {
    const file = await readFile(new URL('./generated/client.ts', import.meta.url), 'utf8');
    expect(file === renderClient(), 'run node packages/contract/generate.ts').toBe(true);
  });

  it('has a method for every route', () => {
    const client = createClient() as unknown as Record<string, Record<string, unknown>>;
    for (const { group, name } of listRoutes()) expect(client[group]?.[name]).toBeTypeOf('function');
  });

  it('puts parameters, query and token where they belong', async () => {
    const { calls, fetch } = recording([]);
    const client = createClient({ baseUrl: 'http://h', fetch, accessToken: () => 'T' });
    await client.telemetry.device('a/b', { metricKey: ['x', 'y'], limit: 5 });
    expect(calls[0]!.url).toBe('http://h/api/v1/telemetry/device/a%2Fb?metricKey=x&metricKey=y&limit=5');
    expect(calls[0]!.init.headers).toMatchObject({ authorization: 'Bearer T' });
  });

  it('refreshes once for requests that fail together, and repeats them', async () => {
    let refreshes = 0;
    const unauthorized = (): Response => Response.json(problem, { status: 401 });
    const { calls, fetch } = recording([unauthorized(), unauthorized()]);
    const client = createClient({
      fetch,
      accessToken: () => 'old',
      refresh: () => {
        refreshes += 1;
        return Promise.resolve('new');
      },
    });
    await Promise.all([client.auth.me(), client.sites.list()]);
    expect(refreshes).toBe(1);
    expect(calls.slice(2).map((call) => (call.init.headers as Record<string, string>).authorization)).toEqual([
      'Bearer new',
      'Bearer new',
    ]);
  });

  it('refreshes once, too, where one answer says later than the other that the token is too old', async () => {
    let token = 'token-1';
    const late = Promise.withResolvers<void>();
    const sent: string[] = [];
    const answer = async (url: unknown, init: RequestInit = {}): Promise<Response> => {
      const { authorization } = init.headers as Record<string, string>;
      const isOld = authorization !== `Bearer ${token}` || authorization === 'Bearer token-1';
      sent.push(authorization!);
      if (String(url).endsWith('/sites')) await late.promise;
      return isOld ? Response.json(problem, { status: 401 }) : Response.json({});
    };
    const client = createClient({
      fetch: answer as typeof fetch,
      accessToken: () => token,
      refresh: async () => {
        token = `token-${Number(token.slice(6)) + 1}`;
        return token;
      },
    });
    const sites = client.sites.list();
    await client.auth.me();
    late.resolve();
    await sites;
    expect(token).toBe('token-2');
    expect(sent).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-2', 'Bearer token-2']);
  });

  it('does not refresh where signing in fails, and tells the problem', async () => {
    const { calls, fetch } = recording([Response.json(problem, { status: 401, headers: { 'retry-after': '7' } })]);
    const client = createClient({ fetch, refresh: () => Promise.resolve('new') });
    const error = await client.auth.login({ email: 'a@b', password: 'x' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ProblemError);
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', status: 401, retryAfter: 7 });
    expect(calls).toHaveLength(1);
  });

  it('makes a problem of an answer that is none', async () => {
    const { fetch } = recording([new Response('<html>', { status: 502 })]);
    await expect(createClient({ fetch }).auth.me()).rejects.toMatchObject({ status: 502, code: 'UNKNOWN' });
  });
});
