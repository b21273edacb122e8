/*
 * $LogFile, the second file, begins with two restart pages, little-endian:
 *
 *   byte 0–7   fixups with "RSTR", or "CHKD" once chkdsk was there      16–19 bytes a page       24–25 where the area is
 *
 *   area 0–7   the last entry of the log       12–13 the first client in use, ffff for none
 *                                              14–15 flags: 2 the volume is clean
 *
 * A log that was made anew is full of ff. Whoever mounts the volume is a client; one that is in use has changes that are not
 * all where they belong.
 *
 * Source: Linux-NTFS project, NTFS documentation, "$LogFile"; ntfs-3g, documentation of the journal.
 */
import { attributeTypes } from './attribute.ts';
import { applyFixups } from './fixup.ts';
import type { NtfsVolume } from './ntfs-volume.ts';

const logFile = 2;
const smallestPage = 512;
const largestPage = 65_536;
const noClient = 0xffff;
const volumeIsClean = 2;
const areaLength = 16;

/** Whether there is nothing left in the log to be done. */
export async function isLogFinished(volume: NtfsVolume): Promise<boolean> {
  const log = await (await volume.file(logFile)).stream(attributeTypes.data, new Uint8Array(0));
  const head = new Uint8Array(smallestPage);
  if (log === undefined || (await log.read(head, 0)) < head.length) return false;
  if (head.every((byte) => byte === 0xff)) return true;
  const pageLength = new DataView(head.buffer).getUint32(16, true);
  if (pageLength < smallestPage || pageLength > largestPage || pageLength % smallestPage !== 0) return false;
  let newest: { readonly entry: bigint; readonly isFinished: boolean } | undefined;
  for (const offset of [0, pageLength]) {
    const page = new Uint8Array(pageLength);
    const area = (await log.read(page, offset)) === pageLength ? decodeRestartPage(page) : undefined;
    if (area !== undefined && (newest === undefined || area.entry > newest.entry)) newest = area;
  }
  return newest?.isFinished ?? false;
}

function decodeRestartPage(page: Uint8Array): { entry: bigint; isFinished: boolean } | undefined {
  const magic = page[0] === 0x43 ? 'CHKD' : 'RSTR';
  if (applyFixups(page, magic) !== undefined) return undefined;
  const view = new DataView(page.buffer);
  const area = view.getUint16(24, true);
  if (area + areaLength > page.length) return undefined;
  const isFinished =
    view.getUint16(area + 12, true) === noClient || (view.getUint16(area + 14, true) & volumeIsClean) !== 0;
  return { entry: view.getBigUint64(area, true), isFinished };
}
