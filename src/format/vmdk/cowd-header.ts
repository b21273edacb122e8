/*
 * The header of a sparse extent of ESX servers, little-endian; offsets and sizes in sectors of 512 bytes:
 *
 *   byte   0–3    magicNumber "COWD"             16–19   grainSize
 *          4–7    version, 1                     20–23   gdOffset
 *          8–11   flags                          24–27   numGDEntries
 *         12–15   numSectors                     28–31   freeSector
 *
 * then names and geometry, of no use to a reader. A grain table has 4096 entries.
 *
 * Source: VMware, Virtual Disk Format 5.0, section "ESXi Host Sparse Extents".
 */
import { ByteReader } from '../../bytes/byte-reader.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import { checkLayout, type SparseLayout, sectorSize, tableCount } from './sparse-layout.ts';

/** "COWD", as a little-endian number. */
const cowdMagic = 0x4457_4f43;

const entriesPerTable = 4096;

/**
 * Where the parts of an ESX server's sparse extent are, from its first sector.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for versions after 1
 */
export function decodeCowdLayout(sector: Uint8Array, name: string): SparseLayout {
  const reader = new ByteReader(sector, `sparse extent header of ${name}`);
  if (reader.u32le() !== cowdMagic) throw corruptImage(name, 'it does not start with the magic of a sparse extent');
  const version = reader.u32le();
  if (version !== 1) throw unsupportedImage(name, `its COWD version is ${version}, not 1`);
  reader.skip(4);
  const layout = {
    capacity: reader.u32le() * sectorSize,
    grainSize: reader.u32le() * sectorSize,
    entriesPerTable,
    directoryOffset: reader.u32le() * sectorSize,
    redundantDirectoryOffset: undefined,
    compressed: false,
    hasMarkers: false,
    hasZeroedGrains: false,
  };
  checkLayout(layout, name);
  const directoryEntries = reader.u32le();
  if (directoryEntries >= tableCount(layout)) return layout;
  throw corruptImage(name, `numGDEntries is ${directoryEntries}, and its capacity takes ${tableCount(layout)}`);
}

/** Whether a file that starts with `head` is an ESX server's sparse extent. */
export function hasCowdMagic(head: Uint8Array): boolean {
  if (head.length < 4) return false;
  return new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(0, true) === cowdMagic;
}
