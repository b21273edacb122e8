/** How long the superblock is, in bytes. */
export const superblockLength = 96;

const magic = 0x7371_7368;
const zstd = 6;
const noXattrsFlag = 0x200;
const nowhere = 0xffff_ffff_ffff_ffffn;

/** What the superblock says; places and sizes in bytes. */
export interface SuperblockFields {
  readonly inodeCount: number;
  /** In seconds since 1970. */
  readonly time: number;
  readonly blockSize: number;
  readonly fragmentCount: number;
  readonly idCount: number;
  /** The reference of its inode. */
  readonly root: number;
  readonly size: number;
  readonly idTable: number;
  readonly attributeTable: number | undefined;
  readonly inodeTable: number;
  readonly directoryTable: number;
  readonly fragmentTable: number;
}

/** The superblock's bytes. Source: as of src/filesystem/squashfs/superblock.ts. */
export function encodeSuperblock(fields: SuperblockFields): Uint8Array {
  const bytes = Buffer.alloc(superblockLength);
  const { attributeTable, blockSize, inodeCount, time } = fields;
  [magic, inodeCount, time, blockSize, fields.fragmentCount].forEach(
    (word, index) => void bytes.writeUInt32LE(word >>> 0, 4 * index),
  );
  const flags = attributeTable === undefined ? noXattrsFlag : 0;
  [zstd, Math.log2(blockSize), flags, fields.idCount, 4, 0].forEach(
    (word, index) => void bytes.writeUInt16LE(word, 20 + 2 * index),
  );
  const { root, size, idTable, inodeTable, directoryTable, fragmentTable } = fields;
  // The last one is of inodes by number, for NFS.
  [root, size, idTable, attributeTable, inodeTable, directoryTable, fragmentTable, undefined].forEach(
    (place, index) => void bytes.writeBigUInt64LE(place === undefined ? nowhere : BigInt(place), 32 + 8 * index),
  );
  return bytes;
}
