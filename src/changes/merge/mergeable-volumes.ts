import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { IntervalSet } from '../../bytes/interval-set.ts';
import { isEqual } from '../../bytes/is-equal.ts';
import type { GuestVolume } from '../../guest/guest-volume.ts';
import type { ChangedRange } from '../../image/diff-snapshots.ts';

/**
 * The file systems whose files the kernel writes as ours are read, and how many bytes at their beginnings are not theirs:
 * boot loaders stand there.
 */
const bootBytes: Readonly<Record<string, number>> = { ext2: 1024, ext3: 1024, ext4: 1024, xfs: 0, btrfs: 65536 };

/** A volume that can be merged by files. */
export interface MergeableVolume {
  readonly volume: GuestVolume;
  /** Where it is on the disk, in bytes. */
  readonly offset: number;
  readonly length: number;
  /** As mount(8) names its file system. */
  readonly type: string;
}

/** The file systems of a disk that the kernel can be given to write, by their names: `/dev/sda1`. */
export function mergeableVolumes(volumes: readonly GuestVolume[]): Map<string, MergeableVolume> {
  const found = volumes.flatMap((volume): MergeableVolume[] => {
    const { device, holds, identity, isEncrypted, length, offset } = volume;
    if (device === undefined || holds !== 'files' || isEncrypted || offset === undefined) return [];
    if (identity === undefined || bootBytes[identity.type] === undefined) return [];
    return [{ volume, offset, length, type: identity.type }];
  });
  return new Map(found.map((each) => [each.volume.name, each]));
}

/** Whether two volumes are one file system in one place, at two times, and called and sized the same. */
export function isSameVolume(one: MergeableVolume, other: MergeableVolume | undefined): boolean {
  if (other === undefined || one.offset !== other.offset || one.length !== other.length) return false;
  const [a, b] = [one.volume.identity!, other.volume.identity!];
  const isOne = a.uuid !== undefined && a.uuid === b.uuid && a.type === b.type && a.version === b.version;
  return isOne && a.label === b.label && a.size === b.size && a.blockSize === b.blockSize;
}

/** Two states of a disk, and where they may differ. */
export interface DiskStates {
  readonly before: BlockDevice;
  readonly after: BlockDevice;
  readonly ranges: readonly ChangedRange[];
}

const pieceLength = 1 << 20;

/** Where two states of a disk differ outside of file systems that can be merged, in bytes; undefined for nowhere. */
export async function changeOutside(
  { after, before, ranges }: DiskStates,
  volumes: Iterable<MergeableVolume>,
): Promise<number | undefined> {
  if (before.size !== after.size) return Math.min(before.size, after.size);
  const outside = new IntervalSet(ranges.map(({ offset, length }) => ({ offset, end: offset + length })));
  for (const { length, offset, type, volume } of volumes) {
    outside.remove(offset + bootBytes[type]!, offset + Math.min(length, volume.identity!.size));
  }
  for (const { offset, end } of outside) {
    for (let at = offset; at < end; at += pieceLength) {
      const length = Math.min(pieceLength, end - at);
      if (!isEqual(await bytesAt(before, at, length), await bytesAt(after, at, length))) return at;
    }
  }
  return undefined;
}

async function bytesAt(device: BlockDevice, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await device.read(bytes, offset);
  return bytes;
}

/** @throws VarveError `CONFLICT` where parts of a file system can be mounted by themselves: what is in them is not compared */
export async function requireOneRoot(
  subvolumes: AsyncIterable<unknown> | undefined,
  { volume }: MergeableVolume,
  disk: string,
): Promise<void> {
  let count = 0;
  for await (const _ of subvolumes ?? []) count += 1;
  if (count > 1) throw new VarveError('CONFLICT', `cannot merge ${disk}: ${volume.name} has subvolumes`);
}
