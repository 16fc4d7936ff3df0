/** The doors of line 26 that are lists: every route of the contract (a new one is tried from its first day), and Socket.IO frames. */
import { LIVE_PATH, listRoutes, type RouteDefinition } from '@fieldline/contract';
import { ApiSession } from '../tests/support/api-session.ts';
import { NAMES, poisoned, sampleOf } from './prototype-payloads.ts';

export interface Tried {
  readonly tries: number;
  readonly findings: readonly string[];
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** Names, and what cursors and receipts are made of. */
const TEXTS = [
  ...NAMES,
  ...['{"__proto__":{"polluted":1}}', '[{"__proto__":1}]', '{"constructor":{"prototype":{"polluted":1}}}'].map((json) =>
    Buffer.from(json).toString('base64url'),
  ),
];
const UNDER_WAY = 8;
const NO_ID = '00000000-0000-7000-8000-000000000000';
const ANSWER_MS_MAX = 5_000;

/** Names in the place of each parameter, in queries, headers and everywhere in bodies. No answer may be a 5xx. */
export async function tryRoutes(url: string, api: ApiSession, apiKey: string, deviceId: string): Promise<Tried> {
  const findings: string[] = [];
  // Some of the routes end all sessions of whoever asks.
  const somebody = { email: 'prototype@example.org', password: 'constructor.prototype' };
  await api.call('POST', 'users', { ...somebody, name: 'somebody', role: 'admin' });
  const ending = await ApiSession.signIn(url, somebody.email, somebody.password);
  const requests = listRoutes().flatMap(({ route }) => requestsFor(route, deviceId));
  const next = requests.values();
  const work = async (): Promise<void> => {
    for (const { method, path, body, headers } of next) {
      const all = new Headers(headers);
      if (path.includes('/webhook/')) all.set('x-api-key', apiKey);
      else all.set('authorization', `Bearer ${(path.includes('/auth/') ? ending : api).accessToken}`);
      if (body !== undefined) all.set('content-type', 'application/json');
      const answer = await fetch(`${url}${path}`, { method, headers: all, ...(body === undefined ? {} : { body }) });
      const text = await answer.text();
      const isNotAsked = answer.status === 401 && !path.includes('/auth/');
      if (answer.status >= 500 || isNotAsked)
        findings.push(`${method} ${path} ${body ?? ''}: ${answer.status} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, work));
  return { tries: requests.length, findings };
}

function requestsFor(route: RouteDefinition, deviceId: string): Request[] {
  const { method } = route;
  // A path that leads somewhere, without harm: only the device is really there.
  const path = route.path.replace(/:([A-Za-z]+)/g, (_, name: string) => (name === 'deviceId' ? deviceId : NO_ID));
  const harmless = method === 'DELETE' && path.includes(deviceId) ? path.replace(deviceId, NO_ID) : path;
  const requests: Request[] = [];
  for (const name of TEXTS) {
    if (route.path.includes(':')) {
      requests.push({ method, path: route.path.replace(/:[A-Za-z]+/g, name) });
      requests.push({ method, path: path.replace(NO_ID, name).replace(method === 'DELETE' ? deviceId : '\0', name) });
    }
    const known = Object.keys((route.query as { properties?: object } | undefined)?.properties ?? {});
    for (const query of [...known.map((key) => `${key}=${name}`), `${name}=1`, `${name}[polluted]=1`, `${name}.a=1`]) {
      requests.push({ method, path: `${harmless}?${query}` });
    }
    for (const header of Object.keys((route.headers as { properties?: object } | undefined)?.properties ?? {})) {
      requests.push({ method, path: harmless, headers: { [header]: name } });
    }
  }
  if (route.body !== undefined) {
    for (const body of poisoned(sampleOf(route.body))) requests.push({ method, path: harmless, body });
  }
  return requests;
}

/** Frames as no client library sends them. Each is answered or ends the connection; the next connection works. */
export async function trySockets(url: string, accessToken: string, deviceId: string): Promise<Tried> {
  const findings: string[] = [];
  const hello = `40${JSON.stringify({ token: accessToken })}`;
  const frames = NAMES.flatMap((name) => [
    `421["subscribe",{"${name}":{"deviceId":"${deviceId}"}}]`,
    `421["subscribe",{"deviceId":"${name}"}]`,
    `421["subscribe",{"deviceId":{"${name}":{"polluted":1}}}]`,
    `421["unsubscribe",{"deviceId":"${deviceId}","${name}":1}]`,
    `421["authenticate",{"${name}":null,"toString":null}]`,
    `421["authenticate","${name}"]`,
    `421["${name}",{"polluted":1}]`,
    `42${name}["subscribe",{}]`,
    `451-1["subscribe",{"_placeholder":true,"num":"${name}"}]`,
    `40/${name},{"${name}":1}`,
    `431["${name}"]`,
    `42["error",{"${name}":1}]`,
  ]);
  for (const frame of frames) {
    const said = await talk(url, hello, frame, deviceId);
    if (said !== null) findings.push(`Socket.IO ${frame}: ${said}`);
  }
  const strangers = NAMES.map((name) => `40{"${name}":{"token":"${accessToken}"}}`);
  for (const frame of strangers) {
    const said = await talk(url, frame, '', deviceId);
    if (said !== 'UNAUTHENTICATED') findings.push(`Socket.IO ${frame}: ${said}`);
  }
  return { tries: frames.length + strangers.length, findings };
}

/** Says hello, the frame, and asks something; null where the question was answered or the connection closed. */
function talk(url: string, hello: string, frame: string, deviceId: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${LIVE_PATH}/?EIO=4&transport=websocket`);
    const timer = setTimeout(() => end('neither answered nor closed'), ANSWER_MS_MAX);
    const end = (outcome: string | null): void => {
      clearTimeout(timer);
      socket.close();
      resolve(outcome);
    };
    socket.onerror = () => end('the connection failed');
    socket.onclose = () => end(null);
    socket.onmessage = ({ data }) => {
      const text = String(data);
      if (text.startsWith('0')) socket.send(hello);
      if (text.startsWith('44{')) end(text.includes('UNAUTHENTICATED') ? 'UNAUTHENTICATED' : text);
      if (text.startsWith('40{')) {
        socket.send(frame);
        socket.send(`429["unsubscribe",{"deviceId":"${deviceId}"}]`);
      }
      if (text.includes('INTERNAL')) end(text);
      if (text.startsWith('439[')) end(text.includes('"ok":true') ? null : text);
    };
  });
}
