import { formatSize } from '../../base/size.ts';
import type { Timestamp } from '../../filesystem/file-system.ts';
import type { Accounts } from '../../guest/accounts.ts';
import { type GuestFile, nameOf } from '../../guest/guest-tree.ts';
import { targetOf } from './file-json.ts';
import { type FileTime, modeText, sizeText } from './file-text.ts';
import { type Column, formatTable } from './format-table.ts';
import { nameText } from './name-text.ts';

/** What a long listing of files shows, and how. */
export interface LongListing {
  /** The names of owners; numbers where left out. */
  readonly accounts?: Accounts | undefined;
  readonly humanReadable?: boolean | undefined;
  readonly inode?: boolean | undefined;
  /** Which of a file's times is shown. */
  readonly time: FileTime;
  readonly timeText: (time: Timestamp | undefined) => string;
  /** What a column of checksums shows. */
  readonly checksum?: ((file: GuestFile) => Promise<string | undefined>) | undefined;
  /** Whether paths are shown, in place of names. */
  readonly paths?: boolean | undefined;
}

/** Files as a table: modes, owners, sizes, times, names. */
export async function longListing(files: readonly GuestFile[], listing: LongListing): Promise<string> {
  const rows: string[][] = [];
  for (const file of files) rows.push(await rowOf(file, listing));
  return formatTable(columnsOf(listing), rows);
}

function columnsOf({ checksum, inode, time }: LongListing): Column[] {
  const right = (title: string): Column => ({ title, align: 'right' });
  return [
    ...(inode ? [right('INODE')] : []),
    ...[{ title: 'MODE' }, right('LINKS'), { title: 'OWNER' }, { title: 'GROUP' }, right('SIZE')],
    { title: time.toUpperCase() },
    ...(checksum === undefined ? [] : [{ title: 'CHECKSUM' }]),
    { title: 'NAME' },
  ];
}

async function rowOf(file: GuestFile, listing: LongListing): Promise<string[]> {
  const { accounts, checksum, humanReadable, inode, paths, time, timeText } = listing;
  const { gid, inode: number, links, size, uid } = file.stat;
  const target = await targetOf(file);
  const name = nameText(paths ? file.path : nameOf(file.path));
  return [
    ...(inode ? [String(number)] : []),
    ...[modeText(file.stat), String(links)],
    ...[accounts?.users.get(uid) ?? String(uid), accounts?.groups.get(gid) ?? String(gid)],
    humanReadable && file.stat.device === undefined ? formatSize(size) : sizeText(file.stat),
    timeText(file.stat[time]),
    ...(checksum === undefined ? [] : [(await checksum(file)) ?? '-']),
    target === undefined ? name : `${name} -> ${nameText(target)}`,
  ];
}
