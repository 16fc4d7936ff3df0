/** Which package may import which, and which third-party library has its one place. Checked by tidy.ts; see ARCHITECTURE.md. */

export const ARROWS: Readonly<Record<string, readonly string[]>> = {
  model: [],
  kit: ['model'],
  codecs: ['model'],
  broker: ['model', 'kit'],
  connectors: ['model', 'kit'],
  log: ['model', 'kit'],
  pipeline: ['model', 'kit', 'codecs'],
  store: ['model', 'kit'],
  catalog: ['model', 'kit'],
  contract: ['model'],
  api: ['model', 'kit', 'contract', 'log', 'store', 'catalog'],
  ui: ['contract'],
  simulator: ['model', 'kit', 'codecs'],
  server: [
    'model',
    'kit',
    'codecs',
    'broker',
    'connectors',
    'log',
    'pipeline',
    'store',
    'catalog',
    'contract',
    'api',
    'simulator',
  ],
};

/** Driver libraries and the packages that may name them outside tests: one each, but for a format that both sides of it speak. */
export const DRIVER_HOMES: Readonly<Record<string, string | readonly string[]>> = {
  '@duckdb/node-api': 'store',
  '@electric-sql/pglite': 'catalog',
  'drizzle-orm': 'catalog',
  pg: 'catalog',
  'mqtt-packet': ['broker', 'connectors'],
  mqtt: 'simulator',
  fastify: 'api',
  'socket.io': 'api',
  jose: 'api',
  pino: 'kit',
  'prom-client': 'kit',
  'csv-parse': 'codecs',
  commander: 'server',
};
