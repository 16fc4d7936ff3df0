export { loadConfig } from './config/load.ts';
export { type Examination, examineFolder, findingsOf } from './doctor/examine-folder.ts';
export { type Mending, mendFolder } from './doctor/mend-folder.ts';
