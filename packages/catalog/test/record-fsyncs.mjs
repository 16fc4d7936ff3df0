// Preloaded (--import) into every thread of a program under test: writes a line to standard output after each fsync.
import fs, { readlinkSync, writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const real = fs.fsyncSync;
fs.fsyncSync = (descriptor) => {
  real(descriptor);
  writeSync(1, `fsync ${readlinkSync(`/proc/self/fd/${descriptor}`)}\n`);
};

const handle = await fs.promises.open('/dev/null');
const { sync } = Object.getPrototypeOf(handle);
await handle.close();
Object.getPrototypeOf(handle).sync = async function () {
  await sync.call(this);
  writeSync(1, `fsync ${readlinkSync(`/proc/self/fd/${this.fd}`)}\n`);
};
syncBuiltinESMExports();
