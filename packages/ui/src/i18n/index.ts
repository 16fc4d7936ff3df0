/** The words in force. One language today; the choice of another is made here. */
import { en, type Messages } from './en.ts';

export const t: Messages = en;
