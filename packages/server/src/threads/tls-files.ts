/**
 * The PEM files of broker.tls: read at the start, and again whenever their content has changed, so that a renewed certificate
 * needs no restart. Polled, because certificates are renewed by renaming, by symbolic links and on network folders, of
 * which file notifications tell only some.
 */
import type { TlsMaterial } from '@fieldline/broker';
import type { Config } from '../config/schema.ts';
import { readPem } from '../pem-file.ts';

type TlsSettings = Pick<Config['broker']['tls'], 'certFile' | 'keyFile' | 'caFile'>;

export class TlsFiles {
  readonly #settings: TlsSettings;
  #material: TlsMaterial;

  /** Throws CONFIG_INVALID where a file cannot be read. */
  constructor(settings: TlsSettings) {
    this.#settings = settings;
    this.#material = this.#read();
  }

  /** As it was read last. */
  get material(): TlsMaterial {
    return this.#material;
  }

  /** What the files hold now, once for each change; null where nothing has changed. Throws CONFIG_INVALID. */
  changed(): TlsMaterial | null {
    const material = this.#read();
    if (isSame(material, this.#material)) return null;
    this.#material = material;
    return material;
  }

  #read(): TlsMaterial {
    const { certFile, keyFile, caFile } = this.#settings;
    return {
      cert: readPem('broker.tls.certFile', certFile),
      key: readPem('broker.tls.keyFile', keyFile),
      ...(caFile !== '' && { ca: readPem('broker.tls.caFile', caFile) }),
    };
  }
}

function isSame(one: TlsMaterial, other: TlsMaterial): boolean {
  return (
    String(one.cert) === String(other.cert) &&
    String(one.key) === String(other.key) &&
    String(one.ca) === String(other.ca)
  );
}
