/** Text to be copied: a block of code, or one line, with its button. Works without the clipboard API too (plain HTTP). */
import { ActionIcon, Tooltip } from '@mantine/core';
import { Check, Copy } from 'lucide-react';
import { useState } from 'react';
import { t } from '../i18n/index.ts';

const COPIED_SHOWN_MS = 1500;

export function CopyBlock({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <div className="fl-code-box">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a block that scrolls must be reachable by keyboard */}
      <section className="fl-code" tabIndex={0} aria-label={label}>
        {text}
      </section>
      <div className="fl-code-copy">
        <CopyIcon text={text} label={t.connect.copyLine(label)} />
      </div>
    </div>
  );
}

export function CopyIcon({ text, label = t.common.copy }: { readonly text: string; readonly label?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await copyText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_SHOWN_MS);
  };
  return (
    <Tooltip label={copied ? t.common.copied : label}>
      <ActionIcon aria-label={label} onClick={() => void copy()} color={copied ? 'green' : 'gray'}>
        {copied ? <Check size={15} /> : <Copy size={15} />}
      </ActionIcon>
    </Tooltip>
  );
}

async function copyText(text: string): Promise<void> {
  const clipboard = navigator.clipboard as Clipboard | undefined; // Absent on plain HTTP.
  if (clipboard !== undefined) return clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}
