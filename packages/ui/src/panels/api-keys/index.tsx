/** API keys: list, create (shown once), revoke. */
export { ApiKeys } from './Panel.tsx';
