import { VarveError } from '../../base/varve-error.ts';
import { alignUp } from '../../bytes/align.ts';
import type { WriteImageOptions } from '../image-format.ts';
import { encodeFeatureNames, incompatibleFeature, knownFeatures } from './features.ts';
import type { Qcow2Header } from './header.ts';
import { extensionType } from './header-extensions.ts';

/** The sizes that follow from a new image's disk and cluster size. */
export interface Layout {
  readonly clusterBits: number;
  /** In bytes. */
  readonly clusterSize: number;
  /** The disk's, in bytes: whole sectors, because QEMU counts in those and would cut a rest off. */
  readonly size: number;
  /** How many clusters one L2 table maps. */
  readonly l2Entries: number;
  /** How many L2 tables cover the disk, at least 1. */
  readonly l1Size: number;
  /** How many clusters one refcount block counts, at 16 bits each. */
  readonly refcountBlockEntries: number;
}

/** Where the tables of a finished image are. */
export interface TablePlaces {
  readonly l1TableOffset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
}

const sectorSize = 512;
const defaultClusterSize = 65536;
const maximumL1Length = 32 * 2 ** 20;

/** The highest bit of an entry of an L1 or L2 table: the refcount of what it points to is exactly one. */
export const copiedBit = 0x8000_0000;

/**
 * The layout for a disk of `diskSize` bytes.
 *
 * @throws VarveError `INVALID` for a cluster size that is none, or too small for a disk of that size
 */
export function layoutFor(
  diskSize: number,
  options: { readonly clusterSize?: number; readonly extendedL2?: boolean },
): Layout {
  const clusterSize = options.clusterSize ?? defaultClusterSize;
  const clusterBits = Math.log2(clusterSize);
  if (!(Number.isInteger(clusterBits) && clusterBits >= 9 && clusterBits <= 21)) {
    const range = 'a power of two from 512 bytes to 2 MiB';
    throw new VarveError('INVALID', `a qcow2 image cannot have clusters of ${clusterSize} bytes; choose ${range}`);
  }
  const l2Entries = clusterSize / (options.extendedL2 === true ? 16 : 8);
  const size = alignUp(diskSize, sectorSize);
  const l1Size = Math.max(1, Math.ceil(size / (clusterSize * l2Entries)));
  if (l1Size * 8 > maximumL1Length) {
    const sizes = `a disk of ${diskSize} bytes with clusters of ${clusterSize} bytes`;
    throw new VarveError('INVALID', `a qcow2 image cannot hold ${sizes}; choose larger clusters`);
  }
  return { clusterBits, clusterSize, size, l2Entries, l1Size, refcountBlockEntries: clusterSize / 2 };
}

/** The header of a finished image. */
export function headerFor(layout: Layout, options: WriteImageOptions, places: TablePlaces): Qcow2Header {
  const isZstd = options.compression === 'zstd';
  const names = { type: extensionType.featureNames, data: encodeFeatureNames(knownFeatures) };
  return {
    version: 3,
    backingFile: undefined,
    clusterBits: layout.clusterBits,
    size: layout.size,
    cryptMethod: 0,
    l1Size: layout.l1Size,
    ...places,
    snapshotCount: 0,
    snapshotsOffset: 0,
    incompatibleFeatures: isZstd ? incompatibleFeature.compressionType : 0n,
    compatibleFeatures: 0n,
    autoclearFeatures: 0n,
    refcountOrder: 4,
    compressionType: isZstd ? 1 : 0,
    additionalFields: new Uint8Array(),
    // A cluster of 512 bytes has no room for the names.
    extensions: layout.clusterSize >= 4096 ? [names] : [],
  };
}

/** How many refcount blocks and clusters of the table above them an image of `otherClusters` clusters needs besides. */
export function refcountClusters(
  layout: Layout,
  otherClusters: number,
): { readonly blockCount: number; readonly tableClusters: number } {
  let blockCount = 0;
  let tableClusters = 0;
  // They count themselves as well; each round finds more or is the last.
  for (;;) {
    const total = otherClusters + blockCount + tableClusters;
    const nextBlockCount = Math.ceil(total / layout.refcountBlockEntries);
    const nextTableClusters = Math.ceil((nextBlockCount * 8) / layout.clusterSize);
    if (nextBlockCount === blockCount && nextTableClusters === tableClusters) return { blockCount, tableClusters };
    blockCount = nextBlockCount;
    tableClusters = nextTableClusters;
  }
}
