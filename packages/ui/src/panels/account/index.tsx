/** The signed-in user: who they are, their password. */
export { Account } from './Panel.tsx';
