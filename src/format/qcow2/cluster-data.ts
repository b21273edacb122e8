import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';

/** Where the content of clusters is: in the image's file as it is, in a file of its own, or encrypted. */
export interface ClusterData {
  /** The file that host offsets of uncompressed clusters count in. */
  readonly file: BlockDevice;
  /** Clusters are at their guest offsets in a file that holds nothing else, and have no refcounts. */
  readonly isExternal: boolean;
  /** Bytes of the file are those of the disk, so that zeros are zeros. */
  readonly isPlain: boolean;
  read(target: Uint8Array, hostOffset: number, guestOffset: number): MaybePromise<void>;
  write(source: Uint8Array, hostOffset: number, guestOffset: number): MaybePromise<void>;
}

/** Clusters in the image's own file, whose last one may be cut short: the file reads as zeros past its end. */
export function ownData(file: BlockDevice): ClusterData {
  return {
    file,
    isExternal: false,
    isPlain: true,
    read: (target, hostOffset) => readOrZeros(file, target, hostOffset),
    write: (source, hostOffset) => file.write(source, hostOffset),
  };
}

/** Clusters in an external data file, which reads as zeros past its end. */
export function externalData(file: BlockDevice): ClusterData {
  return {
    file,
    isExternal: true,
    isPlain: true,
    read: (target, hostOffset) => readOrZeros(file, target, hostOffset),
    write: (source, hostOffset) => file.write(source, hostOffset),
  };
}

/** Fills `target` from byte `offset` of a file, with zeros past its end. */
function readOrZeros(file: BlockDevice, target: Uint8Array, offset: number): MaybePromise<void> {
  const available = Math.min(target.length, file.size - offset);
  if (available >= target.length) return file.read(target, offset);
  target.fill(0, Math.max(0, available));
  return available > 0 ? file.read(target.subarray(0, available), offset) : undefined;
}
