/**
 * Every error that Fieldline raises on purpose has a code from this list and a message that says who, what, got what and
 * what to do. Codes are never used again for something else. HTTP status and dead-letter reasons are taken from here.
 */

export const ERROR_CODES = {
  // what the operator set
  CONFIG_INVALID: { status: 500, title: 'Configuration is not valid' },
  CONFIG_CONFLICT: { status: 500, title: 'Settings do not go together' },
  DATA_DIR_LOCKED: { status: 500, title: 'The data folder is in use' },
  FORMAT_TOO_NEW: { status: 500, title: 'The data was written by a newer version' },
  // what a caller asked
  BAD_REQUEST: { status: 400, title: 'The request is not valid' },
  UNAUTHENTICATED: { status: 401, title: 'Not signed in' },
  FORBIDDEN: { status: 403, title: 'Not allowed' },
  NOT_FOUND: { status: 404, title: 'Not found' },
  CONFLICT: { status: 409, title: 'Conflict' },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'Payload too large' },
  RATE_LIMITED: { status: 429, title: 'Too many requests' },
  OVERLOADED: { status: 429, title: 'Too busy' },
  INTERNAL: { status: 500, title: 'Internal error' },
  UNAVAILABLE: { status: 503, title: 'Temporarily unavailable' },
  NOT_SUPPORTED: { status: 501, title: 'Not supported' },
  // why a raw record became a dead letter
  PAYLOAD_EMPTY: { status: 422, title: 'Payload is empty' },
  PAYLOAD_NOT_DECODABLE: { status: 422, title: 'Payload cannot be decoded' },
  PAYLOAD_WRONG_SHAPE: { status: 422, title: 'Payload has the wrong shape' },
  PAYLOAD_OVER_LIMIT: { status: 422, title: 'Payload exceeds a limit' },
  VALUE_NOT_ACCEPTED: { status: 422, title: 'A value cannot be stored' },
  METRIC_KEY_INVALID: { status: 422, title: 'A metric key is not valid' },
  TIME_INVALID: { status: 422, title: 'A time is not valid' },
  TIME_IN_FUTURE: { status: 422, title: 'A source time is too far in the future' },
  TOPIC_UNMAPPED: { status: 422, title: 'No mapping matches the topic' },
  CODEC_UNKNOWN: { status: 422, title: 'The codec is not known' },
  DEVICE_UNKNOWN: { status: 422, title: 'The device is not known' },
  DEVICE_DECOMMISSIONED: { status: 422, title: 'The device is decommissioned' },
  ORGANIZATION_MISMATCH: { status: 422, title: 'The topic names another organisation' },
  SERIES_LIMIT: { status: 422, title: 'The device has too many metrics' },
  // parts
  LOG_DAMAGED: { status: 500, title: 'A log record is damaged' },
  LOG_POSITION_GONE: { status: 410, title: 'The log position has been deleted by retention' },
  CATALOG_DAMAGED: { status: 500, title: 'The catalog is damaged' },
  STORE_DAMAGED: { status: 500, title: 'Stored telemetry is damaged' },
  WRITER_FENCED: { status: 409, title: 'Another writer has taken the partition' },
  DISK_FULL: { status: 503, title: 'No space left on the device' },
  STOPPED: { status: 503, title: 'The part has been stopped' },
  TIMEOUT: { status: 504, title: 'No answer in time' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorOptions {
  /** Facts for machines: field names, limits, what was found. No secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The one error class. `message` is a sentence for people; `code` decides what happens. */
export class FieldlineError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FieldlineError';
    this.code = code;
    this.details = options.details ?? {};
  }

  /** The HTTP status that goes with the code. */
  get status(): number {
    return ERROR_CODES[this.code].status;
  }
}

/** True where the error is one of ours (with this code, if one is given). */
export function isFieldlineError(error: unknown, code?: ErrorCode): error is FieldlineError {
  return error instanceof FieldlineError && (code === undefined || error.code === code);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Marks what cannot happen: an exhaustive switch ends with it. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
