/** The command line: `fieldline start | demo | simulate | import | config | doctor | audit`. Each command is a file in commands/. */
import { FieldlineError, messageOf } from '@fieldline/kit';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { AuditFlags } from './commands/audit.ts';
import { configCommand } from './commands/config.ts';
import type { ConfigSources } from './config/load.ts';

const program = new Command('fieldline')
  .description('Open platform for industrial and robot telemetry')
  .version('0.1.0')
  .showHelpAfterError('(fieldline --help lists the commands)');

/** Options of every command that runs or looks at a server's configuration. */
interface ServerFlags {
  readonly config?: string;
  readonly dataDir?: string;
  readonly roles?: string;
  readonly apiHost?: string;
  readonly apiPort?: string;
  readonly brokerHost?: string;
  readonly brokerPort?: string;
}

function withServerFlags(command: Command): Command {
  return command
    .option('-c, --config <file>', 'YAML file with settings (default: fieldline.yaml where there is one)')
    .option('--data-dir <folder>', 'folder that holds everything (FIELDLINE_DATA_DIR)')
    .option('--roles <list>', 'roles of this process, e.g. broker,ingest,pipeline,api,jobs (FIELDLINE_ROLES)')
    .option('--api-host <address>', 'address of the HTTP server (FIELDLINE_API_HOST)')
    .option('--api-port <port>', 'port of the HTTP server (FIELDLINE_API_PORT)')
    .option('--broker-host <address>', 'address for plain MQTT (FIELDLINE_BROKER_HOST)')
    .option('--broker-port <port>', 'port for plain MQTT (FIELDLINE_BROKER_PORT)');
}

function sourcesOf(flags: ServerFlags): ConfigSources {
  return {
    ...(flags.config !== undefined && { file: flags.config }),
    overrides: {
      dataDir: flags.dataDir,
      roles: flags.roles,
      'api.host': flags.apiHost,
      'api.port': flags.apiPort,
      'broker.host': flags.brokerHost,
      'broker.port': flags.brokerPort,
    },
  };
}

withServerFlags(program.command('start').description('run the server')).action(async (flags: ServerFlags) => {
  const { startCommand } = await import('./commands/start.ts');
  await startCommand(sourcesOf(flags));
});

withServerFlags(
  program.command('demo').description('run the server with a demo plant, its simulated devices and replayed real data'),
).action(async (flags: ServerFlags) => {
  const { demoCommand } = await import('./commands/demo.ts');
  await demoCommand(sourcesOf(flags));
});

withServerFlags(program.command('config').description('print the settings in force and where each came from'))
  .option('--json', 'as JSON')
  .action((flags: ServerFlags & { json?: boolean }) => configCommand(sourcesOf(flags), flags.json === true));

program
  .command('doctor')
  .description('look at every file of a stopped server for damage, and mend what can be mended')
  .option('-c, --config <file>', 'YAML file with settings (default: fieldline.yaml where there is one)')
  .option('--data-dir <folder>', 'folder that holds everything (FIELDLINE_DATA_DIR)')
  .option('--repair', 'cut torn ends off, and take lost telemetry from the log again; what is damaged is moved aside')
  .option('--json', 'as JSON')
  .action(async (flags: ServerFlags & { repair?: boolean; json?: boolean }) => {
    const { doctorCommand } = await import('./commands/doctor.ts');
    await doctorCommand(sourcesOf(flags), flags);
  });

program
  .command('audit')
  .description('the audit trail')
  .command('verify')
  .description('go through its chain of hashes: nothing was changed, taken out or cut off')
  .option('-c, --config <file>', 'YAML file with settings (default: fieldline.yaml where there is one)')
  .option('--data-dir <folder>', 'folder of a stopped server (FIELDLINE_DATA_DIR)')
  .option('--url <address>', 'a running server, e.g. http://localhost:8080; of the organization that the key is of')
  .option('--api-key <key>', 'with the scope audit:read')
  .option('--organization <slug>', 'this one alone (default: all)')
  .option('--expect <sequence:hash>', 'an entry that was noted earlier: tells a trail that was written anew')
  .option('--json', 'as JSON')
  .action(async (flags: ServerFlags & AuditFlags) => {
    const { auditVerifyCommand } = await import('./commands/audit.ts');
    await auditVerifyCommand(sourcesOf(flags), flags);
  });

program
  .command('simulate')
  .description('run simulated devices over MQTT')
  .argument('<scenario>', 'YAML or JSON file; see packages/simulator/README.md')
  .option('--host <address>', 'MQTT broker (default: as the scenario says, else 127.0.0.1)')
  .option('--port <port>', 'its port (default: as the scenario says, else 1883)')
  .option('--organization <slug>', 'organisation of the devices')
  .option('--credentials <file>', 'JSON or YAML file: { organization, devices: { key: { username, token } } }')
  .option('--seconds <seconds>', 'stop after so long (default: runs until it is stopped)')
  .option('--seed <number>', 'seed of everything random')
  .option('--no-history', 'do not send the past that the scenario tells of')
  .option('--quiet', 'say nothing')
  .action(async (scenario: string, flags) => {
    const { simulateCommand } = await import('./commands/simulate.ts');
    await simulateCommand(scenario, flags);
  });

program
  .command('import')
  .description('load a CSV file as history of a device')
  .argument('<file>', 'CSV file')
  .requiredOption('--device <key or id>', 'the device that the readings belong to')
  .option('--map <pairs>', 'column=metric[unit],…; columns that are not named are left out (default: all columns)')
  .option('--mapping <file>', 'YAML or JSON file with the whole mapping; see packages/codecs/README.md')
  .option('--time <column>', 'the column with the time (default: found by its name)')
  .option(
    '--time-format <format>',
    'iso, epoch-s, epoch-ms, epoch-us, or a pattern such as "DD.MM.YYYY HH:mm:ss" (default: found)',
  )
  .option('--time-zone <zone>', 'zone of times that name none, e.g. Europe/Berlin (default: UTC)')
  .option('--separator <character>', 'between the cells (default: found)')
  .addOption(new Option('--decimal <mark>', 'decimal mark (default: found)').choices(['.', ',']))
  .addOption(new Option('--encoding <name>', 'of the file').choices(['utf-8', 'utf-16le', 'windows-1252']))
  .option('--dry-run', 'read and check everything, send nothing')
  .addOption(
    new Option('--errors-max <count>', 'stop after so many cells or lines that cannot be read')
      .default(100)
      .argParser(wholeNumber),
  )
  .option('--url <url>', 'the running server', 'http://127.0.0.1:3000')
  .addOption(new Option('--api-key <key>', 'API key with the scope ingest').env('FIELDLINE_IMPORT_API_KEY'))
  .action(async (file: string, flags) => {
    const { importCommand } = await import('./commands/import.ts');
    await importCommand(file, flags);
  });

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It takes a whole number.');
  return Number(text);
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof FieldlineError) console.error(`fieldline: ${error.message}`);
  else console.error(error instanceof Error ? (error.stack ?? error.message) : messageOf(error));
  process.exit(1);
}
