import { testStore } from '../conformance.ts';
import { createMemoryStore } from './memory-store.ts';

testStore('memory', {
  open: async (retention) => createMemoryStore(retention),
  dispose: (store) => store.close(),
});
