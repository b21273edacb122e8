import type { VhdFooter } from './footer.ts';

/** A disk as the ATA of old has it. */
export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

const sectorSize = 512;
/** What says no more than that the disk is large, or that its geometry does not matter. */
const largestGeometry: Geometry = { cylinders: 65535, heads: 16, sectorsPerTrack: 255 };
/** Programs that go by the footer's Current Size, as QEMU knows them; all others go by the geometry. */
const creatorsBySize: readonly string[] = ['win ', 'qem2', 'd2v ', 'CTXS', 'tap\0', 'wa\0\0'];

/**
 * The size of the disk, in bytes. Virtual PC and its likes show the disk that the geometry describes; Hyper-V and
 * newer programs the one that Current Size tells, as all do where the geometry is the largest.
 * Source: QEMU 7.2, `block/vpc.c`; for Azure's `wa` later versions of it.
 */
export function diskSizeOf({ creatorApplication, currentSize, geometry }: VhdFooter): number {
  const sectors = sectorCount(geometry);
  const goesBySize = creatorsBySize.some((creator) => isCreator(creatorApplication, creator));
  if (goesBySize || sectors === sectorCount(largestGeometry)) return currentSize - (currentSize % sectorSize);
  return sectors * sectorSize;
}

/** Of the short names the first NUL counts, and nothing after it. */
function isCreator(name: string, creator: string): boolean {
  const end = creator.indexOf('\0');
  return end === -1 ? name === creator : name.startsWith(creator.slice(0, end));
}

/**
 * The geometry for a new disk of `size` bytes: the specification's where it describes the disk exactly, else the
 * largest, so that whoever goes by either takes the disk for what it is.
 */
export function geometryFor(size: number): Geometry {
  const geometry = usualGeometry(Math.floor(size / sectorSize));
  return sectorCount(geometry) * sectorSize === size ? geometry : largestGeometry;
}

function sectorCount({ cylinders, heads, sectorsPerTrack }: Geometry): number {
  return cylinders * heads * sectorsPerTrack;
}

/** Source: VHD, "CHS Calculation". */
function usualGeometry(sectors: number): Geometry {
  const most = Math.min(sectors, sectorCount(largestGeometry));
  if (most >= 65535 * 16 * 63) return withTracks(most, 16, 255);
  const heads = Math.max(4, Math.ceil(Math.floor(most / 17) / 1024));
  if (heads <= 16 && Math.floor(most / 17) < heads * 1024) return withTracks(most, heads, 17);
  if (Math.floor(most / 31) < 16 * 1024) return withTracks(most, 16, 31);
  return withTracks(most, 16, 63);
}

function withTracks(sectors: number, heads: number, sectorsPerTrack: number): Geometry {
  return { cylinders: Math.floor(Math.floor(sectors / sectorsPerTrack) / heads), heads, sectorsPerTrack };
}
