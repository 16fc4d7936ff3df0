/** One line of the scorecard: something that Fieldline must survive, proved on the real program, with a figure. */

export interface ScorecardLine {
  /** Number of the line; lines of one number and different names prove parts of it. */
  readonly number: number;
  /** Short, in lower case: 'process kill'. */
  readonly what: string;
  /** What must hold, in words. */
  readonly must: string;
  run(form: Form, say: (line: string) => void): Promise<Outcome>;
}

/** `short` takes a few minutes at most; `.ci/run` runs some of them. `long` is the whole proof. */
export type Form = 'short' | 'long';

export interface Outcome {
  /** null where it could not be tried here; the figure says why. */
  readonly passed: boolean | null;
  /** The figure that was measured, with its unit, e.g. '0 lost, 0 doubled of 1,204,300; ready after 2.9 s'. */
  readonly figure: string;
  /** What was found amiss, for a person. */
  readonly findings?: readonly string[];
}
