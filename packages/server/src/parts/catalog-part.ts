/** The part `catalog`: opens it (PGlite in a thread of its own, or PostgreSQL), makes the first administrator, keeps the directory. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { openCatalog } from '@fieldline/catalog';
import type { StartedPglite } from '@fieldline/catalog/thread';
import type { Installation } from '../installation.ts';
import { catalogOptions } from './catalog-options.ts';

/** `started`: the thread of the embedded catalog, where there is one. */
export async function startCatalog(of: Installation, started?: Promise<StartedPglite>): Promise<void> {
  const { config } = of;
  of.catalog = await openCatalog(catalogOptions(config, of.logger.child({ service: 'catalog' })), started);
  // PGlite makes its files with mode 0666; the folder keeps the group away from them.
  if (config.catalog.adapter === 'pglite') chmodSync(join(config.dataDir, 'catalog'), 0o700);
  // Where the secret key is another one than it was, it is told now and not when somebody signs in.
  await of.catalog.system.sessions.signingKey();
  const { created, generatedPassword } = await of.catalog.bootstrap({
    adminEmail: config.admin.email,
    ...(of.firstOrganization !== null && {
      organizationSlug: of.firstOrganization.slug,
      organizationName: of.firstOrganization.name,
    }),
    ...(config.admin.password !== '' && { adminPassword: config.admin.password }),
  });
  if (created) of.generatedPassword = generatedPassword;
  of.directorySnapshot = await of.catalog.system.directory.snapshot();
  of.directory.load(of.directorySnapshot);
  of.directoryReached.note('api', of.directorySnapshot.version);
  of.endings.push(
    of.catalog.system.directory.watch(of.directorySnapshot.version, (changes) => {
      for (const change of changes) of.directory.apply(change);
      of.directoryReached.note('api', of.directory.version);
    }),
  );
}

export async function stopCatalog(of: Installation): Promise<void> {
  for (const end of of.endings) end();
  await of.catalog?.close();
}
