import { randomBytes } from '../../base/random.ts';
import { VarveError } from '../../base/varve-error.ts';
import { alignUp } from '../../bytes/align.ts';
import type { WriteImageOptions } from '../image-format.ts';
import { encodeDescriptor } from './descriptor.ts';
import { geometryFor } from './geometry.ts';
import { type SparseHeader, sparseFlag } from './sparse-header.ts';
import { maximumTableCount, sectorSize } from './sparse-layout.ts';

/** Grains have this size in all that is written, in bytes: what VMware's products make and take. */
export const grainSize = 65536;
/** Entries of a grain table. */
export const entriesPerTable = 512;
/** In sectors. */
export const descriptorLength = 20;
export const grainSectors = grainSize / sectorSize;
/** In sectors. */
export const tableLength = (entriesPerTable * 4) / sectorSize;

/** The ways to write a disk. */
type Subformat = 'streamOptimized' | 'monolithicSparse';

/** How a disk is going to be written. */
export interface WritePlan {
  readonly subformat: Subformat;
  /** Of the disk, in sectors. */
  readonly capacity: number;
  readonly tableCount: number;
  /** The text that goes into the descriptor's sectors. */
  readonly descriptor: string;
}

const subformats: readonly string[] = ['streamOptimized', 'monolithicSparse'];
const adapterTypes = ['lsilogic', 'buslogic', 'ide', 'legacyESX'];

/**
 * The plan for a disk of `size` bytes in a file of that name.
 *
 * @throws VarveError `INVALID` for options that VMDK does not have
 */
export function writePlanFor(size: number, fileName: string | undefined, options: WriteImageOptions): WritePlan {
  const known = ['subformat', 'adapter_type', 'cid'];
  for (const key of Object.keys(options.options ?? {})) {
    if (!known.includes(key)) throw invalid(`there is no option ${key} for VMDK; there are ${known.join(', ')}`);
  }
  const { subformat = 'streamOptimized', adapter_type: adapterType = 'lsilogic', cid } = options.options ?? {};
  if (!isSubformat(subformat)) {
    throw invalid(`VMDK is not written with subformat ${subformat}; choose ${subformats.join(' or ')}`);
  }
  if (!adapterTypes.includes(adapterType)) {
    throw invalid(`there is no adapter_type ${adapterType}; there are ${adapterTypes.join(', ')}`);
  }
  refuseOtherOptions(subformat, options);
  const capacity = alignUp(size, sectorSize) / sectorSize;
  const tableCount = Math.ceil(capacity / (entriesPerTable * grainSectors));
  if (tableCount > maximumTableCount) throw invalid(`a disk of ${size} bytes is too large for VMDK; choose qcow2`);
  const geometry = geometryFor(capacity, adapterType);
  const contentId = contentIdFor(cid);
  const described = { contentId, createType: subformat, fileName, sectorCount: capacity, adapterType, geometry };
  return { subformat, capacity, tableCount, descriptor: encodeDescriptor(described) };
}

function isSubformat(name: string): name is Subformat {
  return subformats.includes(name);
}

function refuseOtherOptions(subformat: Subformat, { clusterSize = grainSize, compression }: WriteImageOptions): void {
  if (clusterSize !== grainSize) throw invalid(`VMDK is written with grains of ${grainSize} bytes only`);
  if (compression === 'zstd') throw invalid('VMDK is compressed with deflate, not zstd');
  if (compression === 'deflate' && subformat !== 'streamOptimized') {
    throw invalid('only the subformat streamOptimized of VMDK is compressed');
  }
}

/** Random where none is given; all ones would mean that there is none. */
function contentIdFor(cid: string | undefined): number {
  if (cid === undefined) return randomBytes(4).readUInt32LE() % 0xffff_fffe;
  if (/^[0-9a-f]{1,8}$/i.test(cid) && !/^f{8}$/i.test(cid)) return Number.parseInt(cid, 16);
  throw invalid(`a cid has up to 8 hexadecimal digits and is not ffffffff; ${JSON.stringify(cid)} is none`);
}

/** The header of what is written; offsets in sectors, `gdOffset` undefined where the footer is going to have it. */
export function headerOf(
  { capacity, subformat }: WritePlan,
  places: Pick<SparseHeader, 'gdOffset' | 'overHead' | 'rgdOffset'>,
): SparseHeader {
  const isStream = subformat === 'streamOptimized';
  const flags = isStream ? sparseFlag.compressed | sparseFlag.markers : sparseFlag.redundantDirectory;
  return {
    version: isStream ? 3 : 1,
    flags: sparseFlag.lineEnds | flags,
    capacity,
    grainSize: grainSectors,
    descriptorOffset: 1,
    descriptorSize: descriptorLength,
    numGTEsPerGT: entriesPerTable,
    ...places,
    uncleanShutdown: false,
    compressAlgorithm: isStream ? 1 : 0,
  };
}

/** @throws VarveError `UNSUPPORTED` for a sector that no table entry can name */
export function tableEntry(sector: number): number {
  if (sector <= 0xffff_ffff) return sector;
  throw new VarveError('UNSUPPORTED', 'cannot write the disk: its VMDK file would be over 2 TiB long; choose qcow2');
}

function invalid(why: string): VarveError {
  return new VarveError('INVALID', why);
}
