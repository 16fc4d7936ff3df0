/**
 * The credentials file of a simulation: who logs in as what. Written by whoever created the devices, kept apart from the
 * scenario because it holds secrets.
 *
 *   { "organization": "demo", "devices": { "pump-1": { "username": "<device id>", "token": "…" } } }
 */
import { type Static, Type } from 'typebox';
import { checked, parseYaml } from './checked-yaml.ts';

const strict = { additionalProperties: false };
const text = Type.String({ minLength: 1 });

const credential = Type.Object(
  {
    /** Device id, or organisation slug/device key. Default: the latter. */
    username: Type.Optional(text),
    token: Type.Optional(text),
    /** For mutual TLS instead of a token: PEM. */
    certificate: Type.Optional(text),
    privateKey: Type.Optional(text),
  },
  strict,
);

const credentials = Type.Object(
  {
    /** Slug; goes into topics and user names. */
    organization: Type.Optional(text),
    /** By device key. */
    devices: Type.Record(text, credential),
  },
  strict,
);

export type DeviceCredential = Static<typeof credential>;
export type Credentials = Static<typeof credentials>;

/** Reads a credentials file (JSON or YAML). Throws CONFIG_INVALID where it is none. */
export function parseCredentials(content: string, fileName = 'credentials'): Credentials {
  return checked(credentials, parseYaml(content, fileName));
}
