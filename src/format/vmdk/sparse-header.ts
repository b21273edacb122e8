/*
 * The header of a hosted sparse extent, little-endian, one sector; offsets and sizes in sectors of 512 bytes:
 *
 *   byte   0–3    magicNumber "KDMV"             48–55   rgdOffset, of the redundant grain directory
 *          4–7    version, 1 to 3                56–63   gdOffset; all ones: the footer has it
 *          8–11   flags                          64–71   overHead, where grains begin
 *         12–19   capacity                       72      uncleanShutdown
 *         20–27   grainSize                      73–76   line ends "\n \r\n"
 *         28–35   descriptorOffset               77–78   compressAlgorithm, 1 is deflate
 *         36–43   descriptorSize                 79–511  zeros
 *         44–47   numGTEsPerGT
 *
 * Source: VMware, Virtual Disk Format 5.0, sections "Hosted Sparse Extents" and "Stream-Optimized Compressed".
 */
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import { checkLayout, type SparseLayout, sectorSize } from './sparse-layout.ts';

/** "KDMV", as a little-endian number. */
const sparseMagic = 0x564d_444b;

/** Bits of the field `flags`. */
export const sparseFlag = {
  lineEnds: 1 << 0,
  redundantDirectory: 1 << 1,
  zeroedGrains: 1 << 2,
  compressed: 1 << 16,
  markers: 1 << 17,
} as const;

/** The header's fields, named as in the specification; all but `version` and `numGTEsPerGT` count sectors. */
export interface SparseHeader {
  readonly version: number;
  readonly flags: number;
  readonly capacity: number;
  readonly grainSize: number;
  readonly descriptorOffset: number;
  readonly descriptorSize: number;
  readonly numGTEsPerGT: number;
  readonly rgdOffset: number;
  /** Undefined where the footer has it. */
  readonly gdOffset: number | undefined;
  readonly overHead: number;
  readonly uncleanShutdown: boolean;
  readonly compressAlgorithm: number;
}

const lineEnds = '\n \r\n';
const atEnd = 0xffff_ffff_ffff_ffffn;
const maximumSectors = BigInt(Math.floor(Number.MAX_SAFE_INTEGER / sectorSize));
const maximumVersion = 3;
const maximumEntriesPerTable = 512;

/**
 * The header in a sparse extent's first sector, or in the footer.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for versions after 3
 */
export function decodeSparseHeader(sector: Uint8Array, name: string): SparseHeader {
  const reader = new ByteReader(sector, `sparse extent header of ${name}`);
  if (reader.u32le() !== sparseMagic) throw corruptImage(name, 'it does not start with the magic of a sparse extent');
  const version = reader.u32le();
  if (version < 1 || version > maximumVersion)
    throw unsupportedImage(name, `its VMDK version is ${version}, not 1 to 3`);
  const flags = reader.u32le();
  const sizes = {
    capacity: decodeSectors(reader, 'capacity', name),
    grainSize: decodeSectors(reader, 'grainSize', name),
    descriptorOffset: decodeSectors(reader, 'descriptorOffset', name),
    descriptorSize: decodeSectors(reader, 'descriptorSize', name),
    numGTEsPerGT: reader.u32le(),
    rgdOffset: decodeRedundantOffset(reader),
    gdOffset: decodeDirectoryOffset(reader, name),
    overHead: decodeSectors(reader, 'overHead', name),
    uncleanShutdown: reader.u8() !== 0,
  };
  const header = { version, flags, ...sizes, ...decodeTail(reader) };
  checkHeader(header, header.ends, name);
  return header;
}

function decodeTail(reader: ByteReader) {
  const ends = String.fromCharCode(...reader.bytes(lineEnds.length));
  return { ends, compressAlgorithm: reader.u16le() };
}

/** What is over 2^53 bytes is over what any file can have. */
function decodeSectors(reader: ByteReader, field: string, name: string): number {
  const sectors = reader.opaque64le();
  if (sectors <= maximumSectors) return Number(sectors);
  throw corruptImage(name, `${field} is ${sectors} sectors, which is over 2^53 bytes`);
}

function decodeDirectoryOffset(reader: ByteReader, name: string): number | undefined {
  const start = reader.position;
  if (reader.opaque64le() === atEnd) return undefined;
  reader.seek(start);
  return decodeSectors(reader, 'gdOffset', name);
}

/** Without its flag the field may hold anything. */
function decodeRedundantOffset(reader: ByteReader): number {
  const offset = reader.opaque64le();
  return offset > maximumSectors ? 0 : Number(offset);
}

function checkHeader(header: SparseHeader, ends: string, name: string): void {
  const { compressAlgorithm, flags, numGTEsPerGT } = header;
  if ((flags & sparseFlag.lineEnds) !== 0 && ends !== lineEnds) {
    throw corruptImage(name, 'its line ends were changed, as by a transfer as text; copy it again, as binary');
  }
  if (numGTEsPerGT < 1 || numGTEsPerGT > maximumEntriesPerTable) {
    throw corruptImage(name, `numGTEsPerGT is ${numGTEsPerGT}, and may be 1 to ${maximumEntriesPerTable}`);
  }
  if ((flags & sparseFlag.compressed) !== 0 && compressAlgorithm !== 1) {
    throw unsupportedImage(name, `its grains are compressed by algorithm ${compressAlgorithm}, not 1 (deflate)`);
  }
}

/**
 * Where the parts of the extent are that `header` belongs to; `gdOffset` is given where it is known, in sectors.
 *
 * @throws VarveError `CORRUPT`
 */
export function hostedLayout(header: SparseHeader, gdOffset: number, name: string): SparseLayout {
  const has = (flag: number): boolean => (header.flags & flag) !== 0;
  const hasRedundant = has(sparseFlag.redundantDirectory) && header.rgdOffset !== 0;
  const layout = {
    capacity: header.capacity * sectorSize,
    grainSize: header.grainSize * sectorSize,
    entriesPerTable: header.numGTEsPerGT,
    directoryOffset: gdOffset * sectorSize,
    redundantDirectoryOffset: hasRedundant ? header.rgdOffset * sectorSize : undefined,
    compressed: has(sparseFlag.compressed),
    hasMarkers: has(sparseFlag.markers),
    hasZeroedGrains: has(sparseFlag.zeroedGrains),
  };
  checkLayout(layout, name);
  return layout;
}

/** The sector of a header. */
export function encodeSparseHeader(header: SparseHeader): Uint8Array {
  const writer = new ByteWriter(sectorSize);
  writer.u32le(sparseMagic);
  writer.u32le(header.version);
  writer.u32le(header.flags);
  writer.u64le(header.capacity);
  writer.u64le(header.grainSize);
  writer.u64le(header.descriptorOffset);
  writer.u64le(header.descriptorSize);
  writer.u32le(header.numGTEsPerGT);
  writer.u64le(header.rgdOffset);
  if (header.gdOffset === undefined) writer.opaque64le(atEnd);
  else writer.u64le(header.gdOffset);
  writer.u64le(header.overHead);
  writer.u8(header.uncleanShutdown ? 1 : 0);
  writer.utf8(lineEnds);
  writer.u16le(header.compressAlgorithm);
  return writer.bytes;
}

/** Whether a file that starts with `head` is a hosted sparse extent. */
export function isHosted(head: Uint8Array): boolean {
  if (head.length < 4) return false;
  return new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(0, true) === sparseMagic;
}
