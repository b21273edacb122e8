/**
 * A time for people: ISO 8601 in the local time zone, with its offset from UTC and without fractions of a second.
 * `time` is milliseconds since 1970.
 */
export function localTime(time: number): string {
  const offsetMinutes = -new Date(time).getTimezoneOffset();
  const local = new Date(time + offsetMinutes * 60_000).toISOString().slice(0, 19);
  if (offsetMinutes === 0) return `${local}Z`;
  const size = Math.abs(offsetMinutes);
  const hours = String(Math.floor(size / 60)).padStart(2, '0');
  const minutes = String(size % 60).padStart(2, '0');
  return `${local}${offsetMinutes < 0 ? '-' : '+'}${hours}:${minutes}`;
}
