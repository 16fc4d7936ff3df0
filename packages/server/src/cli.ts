/** Where the program begins: what was compiled at an earlier start is used again, then the command line is read. */
import { keepCompiledCode } from './compiled-code.ts';

keepCompiledCode();
await import('./command-line.ts');
