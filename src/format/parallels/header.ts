/*
 * The header of a Parallels image, little-endian; a sector has 512 bytes:
 *
 *   byte   0–15   magic "WithoutFreeSpace": the BAT counts in sectors;
 *                 "WithouFreSpacExt": in clusters
 *         16–19   version, 2                    44–47  inuse
 *         20–23   heads                         48–51  data_off, sectors; 0: behind the BAT
 *         24–27   cylinders                     52–55  flags, bit 0: empty image
 *         28–31   tracks, sectors of a cluster  56–63  ext_off, sectors; 0: no extension
 *         32–35   bat_entries                   64–    BAT: 4 bytes for each cluster, 0: not allocated
 *         36–43   nb_sectors of the disk; of the first kind only 36–39 mean something
 *
 * Source: QEMU docs/interop/parallels.txt, "Header" and "BAT".
 */
import type { BlockDevice } from '../../block/block-device.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';

/** The magic of images whose BAT counts in sectors, and of those whose counts in clusters. */
export const parallelsMagic = { sectors: 'WithoutFreeSpace', clusters: 'WithouFreSpacExt' } as const;
/** In bytes; the BAT follows. */
export const parallelsHeaderLength = 64;
export const sectorSize = 512;

/** Where the field `inuse` is, in bytes. */
export const inUseOffset = 44;
const inUse = 0x746f_6e59;
const emptyFlag = 1;
/** The largest that QEMU reads. */
const maximumTracks = Math.floor(0x7fff_ffff / 513);

/** The header's fields that mean something to a reader; sizes and offsets in bytes. */
export interface ParallelsHeader {
  readonly diskSize: number;
  readonly clusterSize: number;
  readonly batEntries: number;
  /** What an entry of the BAT counts in. */
  readonly entryUnit: number;
  /** Where the first cluster can be. */
  readonly dataOffset: number;
  /** Whoever wrote last did not close it; content is whole all the same. */
  readonly inUse: boolean;
  /** No cluster was ever allocated, says the image. */
  readonly isEmpty: boolean;
  readonly hasExtension: boolean;
}

/**
 * The header of an image, checked.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for other versions
 */
export async function readParallelsHeader(file: BlockDevice, name: string): Promise<ParallelsHeader> {
  const head = new Uint8Array(Math.min(parallelsHeaderLength, file.size));
  if (head.length > 0) await file.read(head, 0);
  const reader = new ByteReader(head, `header of ${name}`);
  const magic = Buffer.from(reader.bytes(16)).toString('latin1');
  if (magic !== parallelsMagic.sectors && magic !== parallelsMagic.clusters) {
    throw corruptImage(name, 'it does not start with a magic of Parallels');
  }
  const version = reader.u32le();
  if (version !== 2) throw unsupportedImage(name, `its Parallels version is ${version}, not 2`);
  reader.skip(8);
  const header = decodeFields(reader, magic === parallelsMagic.clusters, name);
  checkBat(header, file.size, name);
  return header;
}

function decodeFields(reader: ByteReader, countsClusters: boolean, name: string): ParallelsHeader {
  const tracks = reader.u32le();
  if (tracks === 0 || tracks > maximumTracks) {
    throw corruptImage(name, `tracks is ${tracks}, and may be 1 to ${maximumTracks} sectors`);
  }
  const batEntries = reader.u32le();
  const sectorCount = countsClusters ? reader.u64le('nb_sectors') : Number(reader.opaque64le() & 0xffff_ffffn);
  const diskSize = sectorCount * sectorSize;
  if (!Number.isSafeInteger(diskSize)) throw corruptImage(name, `nb_sectors is ${sectorCount}, past 2^53 bytes`);
  const inUseField = reader.u32le();
  const dataSector = reader.u32le();
  const flags = reader.u32le();
  const hasExtension = reader.opaque64le() !== 0n;
  const batEnd = parallelsHeaderLength + batEntries * 4;
  return {
    ...{ diskSize, clusterSize: tracks * sectorSize, batEntries },
    entryUnit: countsClusters ? tracks * sectorSize : sectorSize,
    dataOffset: dataSector === 0 ? batEnd : dataSector * sectorSize,
    inUse: inUseField === inUse,
    isEmpty: (flags & emptyFlag) !== 0,
    hasExtension,
  };
}

function checkBat({ batEntries, clusterSize, diskSize }: ParallelsHeader, fileSize: number, name: string): void {
  const end = parallelsHeaderLength + batEntries * 4;
  if (end > fileSize) throw corruptImage(name, `the BAT ends at byte ${end}, past the end of the file at ${fileSize}`);
  if (diskSize <= batEntries * clusterSize) return;
  throw corruptImage(name, `the disk has ${diskSize} bytes, and bat_entries only ${batEntries} clusters for it`);
}
