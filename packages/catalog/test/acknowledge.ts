/**
 * A program for the durability tests: opens the embedded catalog in the folder that is named, makes site after site and
 * writes a line for each once it is acknowledged. Ends when it is killed.
 */
import { writeSync } from 'node:fs';
import { openCatalog } from '../src/open-catalog.ts';
import { newOrganization, SECRET_KEY } from '../src/testing.ts';

const catalog = await openCatalog({ adapter: 'pglite', dataDir: process.argv[2]!, secretKey: SECRET_KEY });
const scoped = await newOrganization(catalog);
writeSync(1, `organization ${scoped.scope.organizationId}\n`);
for (let i = 0; ; i++) {
  const site = await scoped.sites.create({ name: `site ${i}` });
  writeSync(1, `site ${site.id}\n`);
}
