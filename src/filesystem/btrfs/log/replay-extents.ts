import { decodeFileExtent, encodeFileExtent, type FileExtent } from '../file-extent.ts';
import { itemTypes, type Key } from '../key.ts';
import type { Item } from '../tree.ts';
import type { LoggedSubvolume } from './logged-subvolume.ts';

/** Puts a piece of a file that was logged into the place of whatever is there. @throws VarveError `CORRUPT` */
export async function replayExtent(subvolume: LoggedSubvolume, item: Item): Promise<void> {
  const { key, view } = item;
  if ((await subvolume.inode(key.objectid)) === undefined) return;
  const extent = decode(subvolume, item);
  await dropExtents(subvolume, key.objectid, { start: key.offset, end: endOf(subvolume, extent) });
  subvolume.tree.set(key, view);
  await subvolume.add(key.objectid, { nbytes: lengthOf(extent) });
}

/** Takes away what a file has between two places, in bytes of it. @throws VarveError `CORRUPT` */
export async function dropExtents(
  subvolume: LoggedSubvolume,
  inode: number,
  range: { readonly start: number; readonly end: number },
): Promise<void> {
  const { tree } = subvolume;
  const found: { readonly key: Key; readonly view: DataView; readonly extent: FileExtent }[] = [];
  const from = { objectid: inode, type: itemTypes.extentData, offset: range.start };
  const before = await tree.lastUpTo(from);
  const isOwn = before?.key.objectid === inode && before.key.type === itemTypes.extentData;
  const last = Number.isFinite(range.end) ? range.end - 1 : -1;
  for await (const item of tree.items(isOwn ? before.key : from, { ...from, offset: last })) {
    found.push({ ...item, extent: decode(subvolume, item) });
  }
  let dropped = 0;
  for (const { key, view, extent } of found) {
    if (endOf(subvolume, extent) <= range.start) continue;
    tree.delete(key);
    dropped += lengthOf(extent);
    if (extent.content.kind === 'inline') continue;
    for (const part of [
      { start: extent.start, end: Math.min(extent.end, range.start) },
      { start: Math.max(extent.start, range.end), end: extent.end },
    ]) {
      if (part.start >= part.end) continue;
      tree.set({ ...key, offset: part.start }, encodeFileExtent(view, extent, part));
      if (extent.content.kind !== 'hole') dropped -= part.end - part.start;
    }
  }
  if (dropped !== 0) await subvolume.add(inode, { nbytes: -dropped });
}

function decode({ volume, log }: LoggedSubvolume, { key, view }: Item): FileExtent {
  const extent = decodeFileExtent(view, key.offset, volume.superblock.sectorSize);
  if (typeof extent !== 'string') return extent;
  throw volume.corrupt(`the extent at byte ${key.offset} of inode ${key.objectid} of ${log.name} ${extent}`);
}

/** What is in the tree takes the place of whole sectors. */
function endOf({ volume }: LoggedSubvolume, { content, end }: FileExtent): number {
  const { sectorSize } = volume.superblock;
  return content.kind === 'inline' ? Math.ceil(end / sectorSize) * sectorSize : end;
}

function lengthOf({ content, start, end }: FileExtent): number {
  return content.kind === 'hole' ? 0 : end - start;
}
