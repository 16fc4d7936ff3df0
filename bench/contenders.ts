/** The brokers that are put side by side: ours alone, Mosquitto, Aedes; each as a process of its own, plain and TLS. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '../tests/support/free-port.ts';

export interface RunningBroker {
  readonly port: number;
  readonly tlsPort: number;
  readonly wsPort: number;
  residentKb(): number;
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  /** Null where it is not to be had on this machine. */
  start(certificate: Certificate): Promise<RunningBroker | null>;
}

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly pem: string;
}

/** A certificate for localhost, made by openssl. */
export function makeCertificate(folder: string): Certificate {
  const certFile = join(folder, 'cert.pem');
  const keyFile = join(folder, 'key.pem');
  const made = spawnSync(
    'openssl',
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${keyFile} -out ${certFile} -days 2 -subj /CN=localhost`.split(
      ' ',
    ),
    { encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`openssl could not make a certificate: ${made.stderr ?? made.error?.message}`);
  return { certFile, keyFile, pem: readFileSync(certFile, 'utf8') };
}

/** A Node program of this folder that prints its ports as one JSON line. */
async function startProgram(file: string, { certFile, keyFile }: Certificate): Promise<RunningBroker> {
  const program = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, ['--max-semi-space-size=8', program, certFile, keyFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(() => {
      throw new Error(`${file} did not start`);
    }),
  ])) as [string];
  const { tcp, tls, ws } = JSON.parse(line) as { tcp: number; tls: number; ws: number };
  return running(child, tcp, tls, ws);
}

function running(child: ChildProcess, port: number, tlsPort: number, wsPort: number): RunningBroker {
  return {
    port,
    tlsPort,
    wsPort,
    residentKb: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function startMosquitto(certificate: Certificate): Promise<RunningBroker | null> {
  const program = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find((path) => existsSync(path));
  if (program === undefined) return null;
  const [port, tlsPort, wsPort] = [await freePort(), await freePort(), await freePort()];
  const configFile = `${certificate.certFile}.mosquitto.conf`;
  writeFileSync(
    configFile,
    [
      'user root',
      'allow_anonymous true',
      'persistence false',
      'log_type none',
      'max_inflight_messages 0',
      'max_queued_messages 0',
      'set_tcp_nodelay true',
      `listener ${port} 127.0.0.1`,
      `listener ${tlsPort} 127.0.0.1`,
      `certfile ${certificate.certFile}`,
      `keyfile ${certificate.keyFile}`,
      `listener ${wsPort} 127.0.0.1`,
      'protocol websockets',
    ].join('\n'),
  );
  // Node raises its own limit of descriptors to the hard one; Mosquitto does not.
  const child = spawn('sh', ['-c', 'ulimit -n $(ulimit -Hn); exec "$0" -c "$1"', program, configFile], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  return running(child, port, tlsPort, wsPort);
}

async function startAedes(certificate: Certificate): Promise<RunningBroker | null> {
  const name = 'aedes';
  try {
    import.meta.resolve(name);
  } catch {
    return null; // It is not installed: `npm install --no-save aedes` brings it for a comparison.
  }
  return startProgram('./lone-aedes.ts', certificate);
}

export const CONTENDERS: readonly Contender[] = [
  { name: 'Fieldline', start: (certificate) => startProgram('./lone-broker.ts', certificate) },
  { name: 'Mosquitto', start: startMosquitto },
  { name: 'Aedes', start: startAedes },
];
