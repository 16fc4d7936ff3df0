/** Dead letters: list, look, replay. */
export { DeadLetters } from './Panel.tsx';
