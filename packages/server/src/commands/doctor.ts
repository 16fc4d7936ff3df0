/**
 * `fieldline doctor`: examines the data folder of a stopped server, and with --repair mends what can be mended. Exit codes:
 * 0 sound (or all mended), 1 findings, 2 it cannot look.
 */
import { existsSync } from 'node:fs';
import { FieldlineError, messageOf } from '@fieldline/kit';
import { type ConfigSources, loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { lockDataFolder } from '../data-folder.ts';
import { type Examination, examineFolder, findingsOf } from '../doctor/examine-folder.ts';
import { type Mending, mendFolder } from '../doctor/mend-folder.ts';
import { reportLines } from '../doctor/report.ts';
import { topicSettings } from '../log-settings.ts';
import { isDataFolder, optionsOf } from '../whole-folder.ts';

export interface DoctorFlags {
  readonly repair?: boolean;
  readonly json?: boolean;
}

const SOUND = 0;
const FINDINGS = 1;
const CANNOT_LOOK = 2;

/** Prints the examination (as JSON with --json) and sets the exit code. */
export async function doctorCommand(sources: ConfigSources, flags: DoctorFlags): Promise<void> {
  try {
    const { config } = loadConfig(sources);
    const { examination, mending } = await underLock(config, () => examineAndMend(config, flags));
    if (flags.json === true) console.log(JSON.stringify(asJson(examination, mending), null, 2));
    else console.log(reportLines(examination, mending).join('\n'));
    const left = mending === null ? findingsOf(examination).length : mending.notMended.length;
    process.exitCode = left === 0 ? SOUND : FINDINGS;
  } catch (error) {
    console.error(`fieldline doctor: ${messageOf(error)}`);
    process.exitCode = CANNOT_LOOK;
  }
}

/** A running server's folder is refused: what it is writing looks torn. */
async function underLock<T>({ dataDir }: Config, work: () => Promise<T>): Promise<T> {
  if (!existsSync(dataDir)) {
    throw new FieldlineError('CONFIG_INVALID', `${dataDir} is not there; name the data folder (--data-dir)`);
  }
  if (!isDataFolder(dataDir)) {
    const sentence = `${dataDir} is no data folder: nothing in it was made by Fieldline; name the data folder (--data-dir), and where its parts are volumes, mount them`;
    throw new FieldlineError('CONFIG_INVALID', sentence);
  }
  const folder = lockDataFolder(dataDir);
  try {
    return await work();
  } finally {
    folder.release();
  }
}

async function examineAndMend(
  config: Config,
  { repair, json }: DoctorFlags,
): Promise<{ examination: Examination; mending: Mending | null }> {
  const say = (part: string): void => {
    if (json !== true && process.stderr.isTTY) console.error(`looking at ${part} …`);
  };
  const examination = await examineFolder(config.dataDir, { ...optionsOf(config), say });
  if (repair !== true || findingsOf(examination).length === 0) return { examination, mending: null };
  return { examination, mending: await mendFolder(examination, topicSettings(config), Date.now()) };
}

function asJson({ dataDir, inspections }: Examination, mending: Mending | null): object {
  return {
    dataDir,
    parts: inspections.map(({ part, counts, findings }) => ({ part, counts, findings })),
    ...(mending !== null && { mended: mending.done, notMended: mending.notMended }),
  };
}
