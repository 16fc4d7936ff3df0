/** Times for people: local time on the page, the zone and all digits on hover, ages that keep counting. */

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dateAndClock = new Intl.DateTimeFormat('en-GB', {
  day: '2-digit',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const full = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: '2-digit',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  timeZoneName: 'longOffset',
});
const DAY_MS = 86_400_000;

/** The browser's IANA time zone. */
export const LOCAL_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Milliseconds since 1970 of an ISO time or of milliseconds; NaN where it is neither. */
export function toMillis(time: string | number): number {
  return typeof time === 'number' ? time : Date.parse(time);
}

/** "14:03:22" today, "21 Nov, 14:03:22" on other days; local time. */
export function formatClock(time: string | number, now: number): string {
  const millis = toMillis(time);
  if (Number.isNaN(millis)) return '–';
  const isToday = new Date(millis).toDateString() === new Date(now).toDateString();
  return (isToday ? clock : dateAndClock).format(millis);
}

/** For titles: weekday, date, milliseconds, offset from UTC and the zone's name. */
export function formatFull(time: string | number): string {
  const millis = toMillis(time);
  return Number.isNaN(millis) ? '' : `${full.format(millis)} (${LOCAL_ZONE})`;
}

/** "now", "5 s ago", "3 min ago", "2 h ago", "12 d ago"; "in 5 s" where a clock runs ahead. */
export function formatAge(time: string | number, now: number): string {
  const millis = toMillis(time);
  if (Number.isNaN(millis)) return '–';
  const age = now - millis;
  if (Math.abs(age) < 1500) return 'now';
  return age > 0 ? `${span(age)} ago` : `in ${span(-age)}`;
}

function span(millis: number): string {
  if (millis < 60_000) return `${Math.round(millis / 1000)} s`;
  if (millis < 3_600_000) return `${Math.floor(millis / 60_000)} min`;
  if (millis < 2 * DAY_MS) return `${Math.floor(millis / 3_600_000)} h`;
  return `${Math.floor(millis / DAY_MS)} d`;
}

const tickMillis = new Intl.DateTimeFormat('en-GB', {
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});
const tickMinutes = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const tickDay = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const tickMonth = new Intl.DateTimeFormat('en-GB', { month: 'short', year: 'numeric' });

/** Labels of a time axis whose ticks are stepMs apart; a new day says its date. */
export function formatTicks(ticks: readonly number[], stepMs: number): string[] {
  let dayBefore = '';
  return ticks.map((tick) => {
    if (stepMs >= 28 * DAY_MS) return tickMonth.format(tick);
    const day = tickDay.format(tick);
    if (stepMs >= DAY_MS) return day;
    const text =
      stepMs < 1000 ? tickMillis.format(tick) : stepMs < 60_000 ? clock.format(tick) : tickMinutes.format(tick);
    const isNewDay = dayBefore !== '' && day !== dayBefore;
    dayBefore = day;
    return isNewDay ? `${text}\n${day}` : text;
  });
}
