import type { GuestFile } from '../../guest/guest-tree.ts';
import { csvField } from './csv-field.ts';
import { modeDigits, targetOf } from './file-json.ts';
import { timeJson } from './file-text.ts';

/** The heading of what `csvLine` makes. */
export const csvHeading =
  'path,kind,mode,links,uid,gid,size,allocated,inode,modified,accessed,changed,created,target,checksum';

/** A file as a line of comma-separated values. */
export async function csvLine(file: GuestFile, checksum = ''): Promise<string> {
  const { path, stat } = file;
  const { accessed, allocated, changed, created, gid, inode, kind, links, modified, size, uid } = stat;
  const times = [modified, accessed, changed, created].map((time) => timeJson(time) ?? '');
  const numbers = [links, uid, gid, size, allocated, inode].map(String);
  const fields = [path, kind, modeDigits(stat), ...numbers, ...times, (await targetOf(file)) ?? '', checksum];
  return fields.map(csvField).join(',');
}
