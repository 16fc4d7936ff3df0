import { expect, it } from 'vitest';
import { hashPassword, verifyPassword } from './passwords.ts';
import { newPassword, seal, unseal } from './secrets.ts';

it('hashes with argon2id at OWASP’s cost, salted', async () => {
  const [a, b] = [await hashPassword('correct horse'), await hashPassword('correct horse')];
  expect(a).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(a).not.toBe(b);
  expect(await verifyPassword('correct horse', a)).toBe(true);
  expect(await verifyPassword('correct horsE', a)).toBe(false);
});

it('takes the same password in another Unicode form', async () => {
  expect(await verifyPassword('zu\u0308gig', await hashPassword('z\u00fcgig'))).toBe(true);
});

it('verifies a hash that another program made', async () => {
  // From the reference implementation's own test: argon2id, t=2, m=256 KiB, p=1, salt "somesalt", password "password".
  const phc = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';
  expect(await verifyPassword('password', phc)).toBe(true);
  expect(await verifyPassword('passwort', phc)).toBe(false);
});

it.each(['', 'plain', '$2b$10$abc', '$argon2i$v=19$m=1,t=1,p=1$aa$bb'])('takes %j for no hash', async (phc) => {
  expect(await verifyPassword('x', phc)).toBe(false);
});

it('makes up passwords without characters that look alike', () => {
  const passwords = Array.from({ length: 200 }, newPassword);
  expect(new Set(passwords).size).toBe(200);
  expect(passwords.join('')).toMatch(/^[a-km-zA-HJ-NP-Z2-9]+$/);
  expect(passwords.every((password) => password.length === 20)).toBe(true);
});

it('unseals with the same key and purpose only, and notices changes', () => {
  const key = new Uint8Array(32).fill(1);
  const sealed = seal('secret ü', key, 'a');
  expect(sealed).not.toContain('secret');
  expect(unseal(sealed, key, 'a')).toBe('secret ü');
  const changed = Buffer.from(sealed, 'base64');
  changed[changed.length - 1]! ^= 1;
  for (const attempt of [
    () => unseal(sealed, new Uint8Array(32), 'a'),
    () => unseal(sealed, key, 'b'),
    () => unseal(changed.toString('base64'), key, 'a'),
  ]) {
    expect(attempt).toThrow(/catalog\.secretKey/);
  }
});
