/*
 * The superblock of version 0.90, in the last but one or the last 64 KiB of a member, at a multiple of that: 4096 bytes,
 * 1024 words in the order of the machine that wrote it:
 *
 *   word   0  a92b4efc                   11  md_minor, 0 of /dev/md0      64  layout
 *          1  major_version, 0           13, 14, 15  set_uuid1 to 3       65  chunk_size, in bytes
 *          2  minor_version, 90          38  sb_csum                     128–991  disks, 32 words for each of 27
 *          5  set_uuid0                  39, 40  events                  992–1023 this_disk: 0 its number, 3 raid_disk,
 *          7  level                      44, 45  reshape_position                 its place, 4 state: bit 1 active, 2 in
 *          8  size of a member, in KiB                                            sync
 *         10  raid_disks
 *
 * Source: Linux, include/uapi/linux/raid/md_p.h (mdp_super_t).
 */
import type { BlockDevice } from '../../block/block-device.ts';
import type { MdSuperblock } from './superblock.ts';

const magic = 0xa92b4efc;
const length = 4096;
const reserved = 65_536;
const syncState = 4;

/** The superblock of version 0.90 on a device; undefined where there is none. */
export async function readOldSuperblock(device: BlockDevice): Promise<MdSuperblock | undefined> {
  const offset = Math.floor(device.size / reserved) * reserved - reserved;
  if (offset < 0) return undefined;
  const bytes = new Uint8Array(length);
  await device.read(bytes, offset);
  const view = new DataView(bytes.buffer);
  const isLittle = view.getUint32(0, true) === magic;
  if (!isLittle && view.getUint32(0) !== magic) return undefined;
  const word = (index: number): number => view.getUint32(index * 4, isLittle);
  if (word(1) !== 0 || word(2) < 90 || word(38) !== sumOf(word)) return undefined;
  const [first, second] = isLittle ? [40, 39] : [39, 40];
  const role = word(995);
  const usedLength = word(8) * 1024;
  return {
    ...{ version: '0.90', uuid: uuidOf([5, 13, 14, 15].map(word)), name: undefined, minor: word(11) },
    ...{ level: view.getInt32(28, isLittle), layout: word(64), usedLength: usedLength === 0 ? undefined : usedLength },
    ...{ chunkLength: word(65), diskCount: word(10), dataOffset: 0, dataLength: offset },
    events: word(first) * 2 ** 32 + word(second),
    role: (word(996) & syncState) !== 0 && role < word(10) ? role : undefined,
    isRebuilding: word(2) > 90 && word(44) + 1 < 2 ** 32,
  };
}

function sumOf(word: (index: number) => number): number {
  let sum = 0;
  for (let index = 0; index < length / 4; index += 1) if (index !== 38) sum += word(index);
  return foldedSum(sum);
}

/** As blkid shows it: four words, one after the other. */
function uuidOf(words: readonly number[]): string {
  const digits = words.map((each) => each.toString(16).padStart(8, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** What a sum comes to in 32 bits: what goes over them is added once more. */
export function foldedSum(sum: number): number {
  return ((sum % 2 ** 32) + Math.floor(sum / 2 ** 32)) % 2 ** 32;
}
