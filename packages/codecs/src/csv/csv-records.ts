/**
 * CSV text to records (RFC 4180, any separator), push by push. A record is its cells and the line on which it starts.
 * Quoted cells may hold separators, doubled quotes and line breaks. Lines end with LF or CRLF; blank ones are passed over.
 *
 * A record longer than RECORD_LENGTH_MAX throws: most likely a quote was never closed, and the rest of the file with it.
 */
import { DecodeError } from '../codec.ts';

const RECORD_LENGTH_MAX = 1024 * 1024;

export type OnRecord = (cells: string[], lineNumber: number) => void;

export class CsvRecords {
  /** Line on which the next record starts, from 1. */
  lineNumber = 1;
  readonly #separator: string;
  readonly #quote: string;
  #pending = '';
  /** Length of #pending from which it is worth looking again: otherwise small pushes would read it over and over. */
  #lookAgainAt = 0;
  #position = 0;

  constructor(separator: string, quote: string) {
    this.#separator = separator;
    this.#quote = quote;
  }

  /** Takes more text and hands out the records that are complete; with `final` also the last one without a line end. */
  push(text: string, final: boolean, onRecord: OnRecord): void {
    this.#pending += text;
    if (this.#pending.length < this.#lookAgainAt && !final) return;
    this.#position = 0;
    while (this.#position < this.#pending.length) {
      const start = this.#position;
      const cells = this.#readRecord(final);
      if (cells === null) {
        this.#position = start;
        break;
      }
      const lineNumber = this.lineNumber;
      this.lineNumber += linesIn(this.#pending, start, this.#position);
      if (cells.length > 1 || cells[0]!.trim() !== '') onRecord(cells, lineNumber);
    }
    this.#pending = this.#pending.slice(this.#position);
    this.#lookAgainAt = this.#pending.length * 2;
    if (this.#pending.length > RECORD_LENGTH_MAX) {
      throw new DecodeError(
        'PAYLOAD_OVER_LIMIT',
        `line ${this.lineNumber}: a record of more than ${RECORD_LENGTH_MAX} characters; is a quote left open?`,
      );
    }
  }

  /** The record at #position, which is moved behind it; null where its end has not come yet. */
  #readRecord(final: boolean): string[] | null {
    const text = this.#pending;
    const lineEnd = text.indexOf('\n', this.#position);
    if (lineEnd < 0 && !final) return null;
    const line = text.slice(this.#position, lineEnd < 0 ? text.length : lineEnd);
    if (line.includes(this.#quote)) return this.#readQuoted(final);
    this.#position += line.length + 1;
    return (line.endsWith('\r') ? line.slice(0, -1) : line).split(this.#separator);
  }

  #readQuoted(final: boolean): string[] | null {
    const text = this.#pending;
    const cells: string[] = [];
    let position = this.#position;
    for (;;) {
      let cell = '';
      if (text.startsWith(this.#quote, position)) {
        const closed = this.#closingQuote(position + 1);
        if (closed < 0 && !final) return null;
        const end = closed < 0 ? text.length : closed;
        cell = text.slice(position + 1, end).replaceAll(this.#quote + this.#quote, this.#quote);
        position = end + 1;
      }
      const end = this.#endOfCell(position);
      if (end >= text.length && !final) return null;
      cell += text.slice(position, end);
      const atSeparator = end < text.length && text[end] === this.#separator;
      cells.push(!atSeparator && cell.endsWith('\r') ? cell.slice(0, -1) : cell);
      position = end + 1;
      if (!atSeparator) break;
    }
    this.#position = position;
    return cells;
  }

  /** Index of the quote that closes the cell; −1 where there is none yet. */
  #closingQuote(from: number): number {
    let at = this.#pending.indexOf(this.#quote, from);
    while (at >= 0 && this.#pending.startsWith(this.#quote, at + 1)) at = this.#pending.indexOf(this.#quote, at + 2);
    return at;
  }

  #endOfCell(from: number): number {
    const text = this.#pending;
    let at = from;
    while (at < text.length && text[at] !== this.#separator && text[at] !== '\n') at += 1;
    return at;
  }
}

function linesIn(text: string, start: number, end: number): number {
  let lines = 0;
  for (let at = text.indexOf('\n', start); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}
