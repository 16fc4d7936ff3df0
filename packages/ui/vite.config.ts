/** How the UI is bundled: served from '/', split by page, its sources' hash recorded beside the result. */
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { recordSourceHash } from './build-hash.ts';

const SERVER = 'http://127.0.0.1:3000';

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
