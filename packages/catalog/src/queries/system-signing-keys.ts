/** System door: the RS256 key pair that signs access tokens. Made once per installation, its private half encrypted at rest. */
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { newId } from '@fieldline/model';
import { eq } from 'drizzle-orm';
import type { Database } from '../database/database.ts';
import type { SigningKey } from '../rows.ts';
import { signingKeys } from '../schema/index.ts';
import { seal, unseal } from '../secrets.ts';

const MODULUS_BITS = 2048;
const PURPOSE = 'signing key';

export async function signingKey(database: Database, secretKey: Uint8Array): Promise<SigningKey> {
  let row = await activeKey(database);
  if (row === undefined) {
    const made = await makeKey(secretKey);
    await database.transaction('system', (queries) => queries.insert(signingKeys).values(made).onConflictDoNothing());
    // Another process may have been faster: its key is the one then.
    row = await activeKey(database);
  }
  const { kid, publicKeyPem, privateKeySealed, createdAt } = row!;
  return { kid, publicKeyPem, privateKeyPem: unseal(privateKeySealed, secretKey, PURPOSE), createdAt };
}

/** Public keys by kid. */
export async function verificationKeys(database: Database): Promise<ReadonlyMap<string, string>> {
  const rows = await database.transaction('system', (queries) => queries.select().from(signingKeys));
  return new Map(rows.map((row) => [row.kid, row.publicKeyPem]));
}

function activeKey(database: Database) {
  return database.transaction('system', async (queries) => {
    const [row] = await queries.select().from(signingKeys).where(eq(signingKeys.active, true));
    return row;
  });
}

async function makeKey(secretKey: Uint8Array) {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: MODULUS_BITS });
  return {
    kid: newId(),
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKeySealed: seal(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), secretKey, PURPOSE),
    active: true,
  };
}
