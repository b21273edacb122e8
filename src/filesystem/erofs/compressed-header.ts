/*
 * Behind the attributes of a compressed file's inode, from a multiple of 8 on, is a header of 8 bytes, little-endian:
 *
 *   byte  0  h_fragmentoff (32 bit): where in the packed inode the last extent is;
 *            or, at byte 2, h_idata_size (16 bit): how many bytes of the last extent stand behind the index
 *         4  h_advise (16 bit): 1 compact index with short packs; 2, 4 clusters of several blocks; 8 the last extent
 *            stands behind the index; 16 what is not compressed is turned round; 32 the last extent is in the packed inode
 *         6  h_algorithmtype: bits 0–3 for extents of the first kind, 4–7 of the second: 0 LZ4, 1 LZMA, 2 DEFLATE, 3 zstd
 *         7  h_clusterbits: bits 0–2 how many times a logical cluster is twice a block; bit 7: the whole file is in the
 *            packed inode, from the rest of these 64 bits on
 *
 * Source: Linux, fs/erofs/erofs_fs.h (struct z_erofs_map_header).
 */
import { alignUp } from '../../bytes/align.ts';
import type { ErofsFile } from './file-content.ts';
import type { ErofsVolume } from './volume.ts';

const headerLength = 8;
const wholeFragment = 0x80;

/** The header of a compressed file. */
export interface CompressedHeader {
  /** Where on the device the header ends, in bytes. */
  readonly end: number;
  /** The whole of it, without bit 63, where all of the file is in the packed inode; undefined otherwise. */
  readonly wholeFragmentOffset: number | undefined;
  readonly fragmentOffset: number;
  readonly inlineLength: number;
  readonly hasShortPacks: boolean;
  readonly hasLongClusters: boolean;
  readonly hasInlineEnd: boolean;
  readonly isTurned: boolean;
  readonly hasFragment: boolean;
  /** For extents of the first and of the second kind. */
  readonly algorithms: readonly [first: number, second: number];
  /** Of a logical cluster, log2 of bytes. */
  readonly clusterBits: number;
}

/** @throws VarveError `CORRUPT` */
export async function readCompressedHeader(volume: ErofsVolume, { inode, node }: ErofsFile): Promise<CompressedHeader> {
  const { attributes } = inode;
  const place = alignUp(attributes.place + attributes.length, headerLength);
  const view = await volume.metadata(place, headerLength, `the header of the compressed inode ${node}`);
  const advise = view.getUint16(4, true);
  const clusterByte = view.getUint8(7);
  const has = (flag: number): boolean => (advise & flag) !== 0;
  return {
    end: place + headerLength,
    wholeFragmentOffset: clusterByte < wholeFragment ? undefined : Number(view.getBigUint64(0, true) - 2n ** 63n),
    ...{ fragmentOffset: view.getUint32(0, true), inlineLength: view.getUint16(2, true) },
    ...{ hasShortPacks: has(1), hasLongClusters: has(2) || has(4), hasInlineEnd: has(8), isTurned: has(16) },
    ...{ hasFragment: has(32), algorithms: [view.getUint8(6) & 0xf, view.getUint8(6) >>> 4] },
    clusterBits: Math.log2(volume.superblock.blockSize) + (clusterByte & 7),
  };
}
