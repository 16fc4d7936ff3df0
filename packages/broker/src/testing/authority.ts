/** Certificates for tests: an authority, and what it signs for a common name. */
import 'reflect-metadata'; // @peculiar/x509 asks for it
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const VALID = { notBefore: new Date(Date.now() - 86_400_000), notAfter: new Date(Date.now() + 86_400_000) };

export interface Identity {
  readonly key: string;
  readonly cert: string;
}

export class Authority {
  readonly certificate: x509.X509Certificate;
  readonly #keys: CryptoKeyPair;

  private constructor(certificate: x509.X509Certificate, keys: CryptoKeyPair) {
    this.certificate = certificate;
    this.#keys = keys;
  }

  static async create(name: string): Promise<Authority> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const extensions = [new x509.BasicConstraintsExtension(true, 1, true)];
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: `CN=${name}`,
      ...VALID,
      signingAlgorithm: ALGORITHM,
      keys,
      extensions,
    });
    return new Authority(certificate, keys);
  }

  async issue(commonName: string): Promise<Identity> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: '02',
      subject: `CN=${commonName}`,
      issuer: this.certificate.subject,
      ...VALID,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])],
    });
    const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    return {
      key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
      cert: certificate.toString('pem'),
    };
  }
}
