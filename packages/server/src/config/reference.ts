/** The configuration reference, made from the schema: docs/configuration.md and .env.example. A check keeps both current. */
import { describeType } from './load.ts';
import { ConfigSchema, type Setting, settings } from './schema.ts';

/** docs/configuration.md as text. */
export function configurationMarkdown(): string {
  const lines = [
    '# Configuration',
    '',
    'Made from `packages/server/src/config/schema.ts` by `node tools/reference.ts`; do not edit.',
    '',
    'Order: default, then the YAML file (`--config FILE`, `FIELDLINE_CONFIG`, or `fieldline.yaml` in the working folder),',
    'then environment variables, then the command line. `fieldline config` prints what is in force and where it came from.',
    '',
  ];
  let section = '';
  for (const setting of settings()) {
    const name = setting.path.length === 1 ? 'general' : setting.path.slice(0, -1).join('.');
    if (name !== section) {
      section = name;
      lines.push(
        `## ${name}`,
        '',
        ...sectionDescription(setting),
        '| key | variable | takes | default | |',
        '|---|---|---|---|---|',
      );
    }
    const { description } = setting.schema;
    const takes = describeType(setting);
    lines.push(
      `| \`${setting.path.join('.')}\` | \`${setting.environmentVariable}\` | ${takes} | ${shown(setting)} | ${description} |`,
    );
    if (isLastOfSection(setting)) lines.push('');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

/** .env.example as text: every variable, commented out, with its default. */
export function environmentExample(): string {
  const lines = [
    '# Every setting of Fieldline with its default. Made from the schema by `node tools/reference.ts`.',
    '',
  ];
  for (const setting of settings()) {
    lines.push(`# ${setting.schema.description} Takes ${describeType(setting)}.`);
    lines.push(`#${setting.environmentVariable}=${plain(setting)}`, '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function plain(setting: Setting): string {
  const value = setting.schema.default;
  return Array.isArray(value) ? value.join(',') : String(value);
}

function shown(setting: Setting): string {
  const value = plain(setting);
  return value === '' ? '(empty)' : `\`${value}\``;
}

function sectionDescription(setting: Setting): string[] {
  if (setting.path.length === 1) return [];
  let schema = ConfigSchema as { properties?: Record<string, unknown>; description?: string };
  for (const key of setting.path.slice(0, -1)) schema = schema.properties?.[key] as typeof schema;
  return schema.description === undefined ? [] : [schema.description, ''];
}

function isLastOfSection(setting: Setting): boolean {
  const all = settings();
  const index = all.findIndex((candidate) => candidate.environmentVariable === setting.environmentVariable);
  const next = all[index + 1];
  return next === undefined || next.path.slice(0, -1).join('.') !== setting.path.slice(0, -1).join('.');
}
