/** How the UI is bundled: served from '/', split by page, its sources' hash recorded beside the result. */
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { recordSourceHash } from './build-hash.ts';

const SERVER = 'http://127.0.0.1:3000';

// A build under a test runner (NODE_ENV=test) would else carry React's development build, and be taken for current later.
if (!process.argv.includes('dev')) process.env.NODE_ENV = 'production';

export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  plugins: [react(), { name: 'record-source-hash', apply: 'build', closeBundle: recordSourceHash }],
  build: { outDir: 'dist', emptyOutDir: true, target: 'es2023', chunkSizeWarningLimit: 700 },
  server: {
    proxy: {
      '/api': SERVER,
      '/health': SERVER,
      '/docs': SERVER,
      '/live': { target: SERVER, ws: true },
    },
  },
});
