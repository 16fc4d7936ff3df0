/**
 * Logs: one event, one line of JSON on standard output: level, time, service, msg, and fields such as traceId, deviceId,
 * recordCount, durationMs. Normal work is silent; a warning is something to act on. Secrets are redacted by key.
 */
import pino from 'pino';

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const SECRET_KEYS = [
  'password',
  'token',
  'accessToken',
  'refreshToken',
  'privateKey',
  'authorization',
  'apiKey',
  'cookie',
];

/** A logger for one service (station). Lines go to standard output unless another descriptor is given. */
export function createLogger(service: string, level: LogLevel = 'info', descriptor = 1): Logger {
  const root = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
    },
    pino.destination({ fd: descriptor, sync: true }),
  );
  return bound(root, { service });
}

/** A child of a child says each field once: pino's own children would write `service` twice into the line. */
function bound(root: pino.Logger, bindings: object): Logger {
  const one = root.child(bindings);
  return {
    debug: (fields, message) => one.debug(fields, message),
    info: (fields, message) => one.info(fields, message),
    warn: (fields, message) => one.warn(fields, message),
    error: (fields, message) => one.error(fields, message),
    child: (fields) => bound(root, { ...bindings, ...fields }),
  };
}

const nothing = (): void => {};

/** A logger that says nothing; the default in libraries and tests. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLogger,
};
