/** How the pipeline does, and each part of the server. */

export { PipelineDetails, PipelineStats } from './Panel.tsx';
export { Parts } from './Parts.tsx';
