import type { GuestTree } from '../../guest/guest-tree.ts';
import { readSmallFile } from '../../guest/read-small-file.ts';

/** How far a zone is ahead of UTC at a moment; both in milliseconds. */
export type ZoneOffset = (moment: number) => number;

const hourMs = 3_600_000;
const zoneName = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/;

/** The time zone that a guest is set to; UTC where it does not say, or names one that is not known here. */
export async function guestTimeZone(tree: GuestTree): Promise<ZoneOffset> {
  const link = await tree.find('/etc/localtime', { followLast: false });
  const target =
    link?.kind === 'symlink' ? new TextDecoder().decode(await link.fileSystem.readLink(link.node)) : undefined;
  const named = target?.split('zoneinfo/')[1] ?? (await readSmallFile(tree, '/etc/timezone', 256))?.trim();
  return named !== undefined && zoneName.test(named) ? offsetOf(named) : () => 0;
}

function offsetOf(timeZone: string): ZoneOffset {
  let format: Intl.DateTimeFormat;
  try {
    const numeric = 'numeric';
    const fields = { year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric } as const;
    format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...fields });
  } catch {
    return () => 0;
  }
  let known = { hour: Number.NaN, offset: 0 };
  return (moment) => {
    const hour = Math.floor(moment / hourMs);
    if (hour !== known.hour) known = { hour, offset: offsetAt(format, hour * hourMs) };
    return known.offset;
  };
}

function offsetAt(format: Intl.DateTimeFormat, moment: number): number {
  const parts = new Map(format.formatToParts(moment).map(({ type, value }) => [type, Number(value)]));
  const at = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
  return Date.UTC(at('year'), at('month') - 1, at('day'), at('hour'), at('minute')) - moment;
}
