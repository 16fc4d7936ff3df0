/** The organization's names and whether unknown devices register themselves. */
export { OrganizationSettings } from './Panel.tsx';
