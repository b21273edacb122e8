/*
 * How an MBR names a sector for programs of the time when disks were cylinders, heads and sectors, in three bytes:
 *
 *   byte 0  head    1  bits 0–5 sector, from 1 on; bits 6–7 bits 8–9 of the cylinder    2  bits 0–7 of the cylinder
 *
 * Sectors past the last that can be named so are fe ff ff.
 *
 * Source: Andries Brouwer, "Large disk HOWTO", sections 3 and 4; UEFI Specification 2.10, section 5.2.1.
 */

/** How many heads a disk is said to have, and sectors in each track. */
export interface Geometry {
  readonly heads: number;
  readonly sectors: number;
}

const usualGeometry: Geometry = { heads: 255, sectors: 63 };
const cylinderCount = 1024;
const beyond = Uint8Array.of(0xfe, 0xff, 0xff);

/** The three bytes for a sector. */
export function encodeCylinder(sector: number, { heads, sectors }: Geometry): Uint8Array {
  const cylinder = Math.floor(sector / (heads * sectors));
  if (cylinder >= cylinderCount) return beyond;
  const head = Math.floor(sector / sectors) % heads;
  return Uint8Array.of(head, (sector % sectors) + 1 + ((cylinder >> 8) << 6), cylinder & 0xff);
}

/** What geometry the bytes for a partition's first and last sector are right with; the usual one where none is. */
export function geometryOf(entries: readonly NamedSectors[]): Geometry {
  for (const entry of entries) {
    // Partitions used to end with a cylinder: the last one's head and sector are then the highest that there are.
    const geometry = { heads: (entry.lastBytes[0] ?? 0) + 1, sectors: (entry.lastBytes[1] ?? 0) & 0x3f };
    if (geometry.sectors > 0 && isRight(entry, geometry)) return geometry;
  }
  return usualGeometry;
}

/** Two sectors, and the bytes that name them. */
export interface NamedSectors {
  readonly first: number;
  readonly firstBytes: Uint8Array;
  readonly last: number;
  readonly lastBytes: Uint8Array;
}

function isRight({ first, firstBytes, last, lastBytes }: NamedSectors, geometry: Geometry): boolean {
  const isSame = (bytes: Uint8Array, sector: number) =>
    Buffer.compare(bytes, encodeCylinder(sector, geometry)) === 0 && bytes !== beyond;
  return (
    last < cylinderCount * geometry.heads * geometry.sectors && isSame(firstBytes, first) && isSame(lastBytes, last)
  );
}
