/** Secrets that are made up here, their fingerprints, and the seal for those that must be read again (AES-256-GCM). */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { FieldlineError } from '@fieldline/kit';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** 32 random bytes as text that is safe in URLs and headers: `<prefix>_<43 characters>`. */
export function newSecret(prefix: string): string {
  return `${prefix}_${randomBytes(32).toString('base64url')}`;
}

/** 20 characters that can be read aloud: no 0, O, 1, l or I. About 115 bits. */
export function newPassword(): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
  let password = '';
  while (password.length < 20) {
    const byte = randomBytes(1)[0]!;
    // Bytes beyond the last whole multiple would make some characters likelier.
    if (byte < 256 - (256 % alphabet.length)) password += alphabet[byte % alphabet.length];
  }
  return password;
}

/** SHA-256 in hex. Enough for secrets of 256 random bits, which cannot be guessed one by one. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** nonce, tag and cipher text, base64. `purpose` separates the keys of different uses. */
export function seal(text: string, secretKey: Uint8Array, purpose: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keyFor(secretKey, purpose), nonce);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
}

/** What was sealed. CONFIG_INVALID where the key is another one. */
export function unseal(sealed: string, secretKey: Uint8Array, purpose: string): string {
  const bytes = Buffer.from(sealed, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', keyFor(secretKey, purpose), bytes.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  try {
    return decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  } catch (error) {
    throw new FieldlineError(
      'CONFIG_INVALID',
      `catalog.secretKey is not the key that the stored ${purpose} was encrypted with; give the former key (a backup of the key file)`,
      { cause: error },
    );
  }
}

function keyFor(secretKey: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secretKey, '', `fieldline ${purpose}`, 32));
}
