/** The tabs of the settings, each its panel. */
export { Account as AccountTab } from '../panels/account/index.tsx';
export { ApiKeys as ApiKeysTab } from '../panels/api-keys/index.tsx';
export { OrganizationSettings as OrganizationTab } from '../panels/organization/index.tsx';
