import type { BlockDevice } from '../block/block-device.ts';

// What holds other volumes. A file system that seems to be in one is stale, or one half of a mirror.
//
//     LUKS       offset 0: "LUKS" ba be. Source: LUKS1 on-disk format 1.2.3, LUKS2 on-disk format 1.1.1
//     LVM2       one of sectors 0 to 3: "LABELONE", and at its byte 24 "LVM2 001". Source: LVM2, label format
//     Linux RAID fc 4e 2b a9 at 0 (1.1), 4096 (1.2), in the last 8 to 12 KiB (1.0); in the last 64 to 128 KiB (0.90), there
//                in the machine's byte order. Source: md(4), RAID superblock formats

const luksMark = Buffer.from('LUKS\xba\xbe', 'latin1');
const raidMarks = [Buffer.from('fc4e2ba9', 'hex'), Buffer.from('a92b4efc', 'hex')];
const headLength = 4100;

/** What a device is that holds no file system but other volumes, as blkid calls it. */
export type ContainerKind = 'crypto_LUKS' | 'LVM2_member' | 'linux_raid_member';

/** What holds other volumes on a device, by its mark alone, which may be damaged behind that; undefined for none. */
export async function containerKind(device: BlockDevice): Promise<ContainerKind | undefined> {
  const head = await readAt(device, 0, Math.min(headLength, device.size));
  if (luksMark.equals(head.subarray(0, luksMark.length))) return 'crypto_LUKS';
  if ([0, 512, 1024, 1536].some((offset) => isPhysicalVolume(head.subarray(offset)))) return 'LVM2_member';
  const size = Math.floor(device.size / 512) * 512;
  const places = [
    ...[0, 4096, Math.floor((size - 8192) / 4096) * 4096],
    Math.floor(size / 65_536) * 65_536 - 65_536,
  ].filter((offset) => offset >= 0 && offset + 4 <= device.size);
  for (const offset of places) {
    const mark = await readAt(device, offset, 4);
    if (raidMarks.some((each) => each.equals(mark))) return 'linux_raid_member';
  }
  return undefined;
}

function isPhysicalVolume(sector: Uint8Array): boolean {
  const text = Buffer.from(sector.subarray(0, 32)).toString('latin1');
  return text.startsWith('LABELONE') && text.slice(24) === 'LVM2 001';
}

async function readAt(device: BlockDevice, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  if (length > 0) await device.read(bytes, offset);
  return bytes;
}
