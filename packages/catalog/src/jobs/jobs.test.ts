import { joinCatalog } from '../open-catalog.ts';
import { openPglite } from '../pglite/pglite.ts';
import { SECRET_KEY } from '../testing.ts';
import { jobsConformance } from './jobs-conformance.ts';

jobsConformance('PGlite', async () => joinCatalog(await openPglite({ dataDir: null }), { secretKey: SECRET_KEY }));
