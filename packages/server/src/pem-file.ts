/** Certificates and keys that a setting names. */
import { readFileSync } from 'node:fs';
import { FieldlineError, messageOf } from '@fieldline/kit';

/** `setting` with its path, as people write it: broker.tls.certFile. Throws CONFIG_INVALID where the file cannot be read. */
export function readPem(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new FieldlineError('CONFIG_INVALID', `${setting}: ${messageOf(error)}; name a readable PEM file`);
  }
}
