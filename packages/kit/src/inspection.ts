/** What a look into stored files has found. Each part inspects its own files with its server stopped; `fieldline doctor` prints it. */

export interface Finding {
  /** File or folder. */
  readonly file: string;
  /** Where in it: a byte, block, record or position range, in words; null where the whole is meant. */
  readonly place: string | null;
  /** What is wrong and what that means for the data. */
  readonly meaning: string;
  /** What to do. */
  readonly remedy: string;
  /**
   * How the doctor can mend it: `restart` the next start does it by itself, `log` from the log's records, `copy` from the
   * copy that the part keeps of itself, `anew` by letting the part begin anew, without what it held, `none` only from a backup,
   * or not at all.
   */
  readonly mend: 'restart' | 'log' | 'copy' | 'anew' | 'none';
}

export interface Inspection {
  /** The station: 'log', 'store', … */
  readonly part: string;
  /** What was looked at, counted: { segments: 3, records: 1200 }. */
  readonly counts: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}
