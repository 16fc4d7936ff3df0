/** An examination and what was mended, in words for a terminal. */
import type { Finding, Inspection } from '@fieldline/kit';
import type { Examination } from './examine-folder.ts';
import type { Mending } from './mend-folder.ts';

const NAME_WIDTH = 8;

/** One line a part, four lines a finding, and what was done. */
export function reportLines({ dataDir, inspections }: Examination, mending: Mending | null): string[] {
  const lines = [`Examined ${dataDir}`, ''];
  for (const inspection of inspections) {
    lines.push(partLine(inspection));
    for (const finding of inspection.findings) lines.push(...findingLines(finding));
  }
  const count = inspections.reduce((sum, { findings }) => sum + findings.length, 0);
  if (mending === null) {
    lines.push('', count === 0 ? 'Sound.' : `${count} ${count === 1 ? 'finding' : 'findings'}.`);
    return lines;
  }
  lines.push('', 'Mended:', ...listed(mending.done), '', 'Not mended:', ...listed(mending.notMended));
  return lines;
}

function partLine({ part, counts, findings }: Inspection): string {
  const state =
    findings.length === 0 ? 'sound' : `${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}`;
  const counted = Object.entries(counts).map(
    ([name, count]) =>
      `${count.toLocaleString('en-US')} ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`,
  );
  return `${part.padEnd(NAME_WIDTH)} ${state}${counted.length === 0 ? '' : ` (${counted.join(', ')})`}`;
}

function findingLines({ file, place, meaning, remedy }: Finding): string[] {
  return [
    `  ! ${file}`,
    ...(place === null ? [] : [`      where  ${place}`]),
    `      what   ${meaning}`,
    `      do     ${remedy}`,
  ];
}

function listed(sentences: readonly string[]): string[] {
  return sentences.length === 0 ? ['  nothing'] : sentences.map((sentence) => `  - ${sentence}`);
}
