/** The sectors of the disk that is written to: 2 MiB. */
export const overlaySectorCount = 4096;

/** What is done to an image that is open for writing. Sectors are [first, end); each is full of the stamp. */
export type OverlayStep =
  | { readonly kind: 'write' | 'zero'; readonly first: number; readonly end: number; readonly stamp: number }
  | { readonly kind: 'flush' }
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'discard' };

/** A line of a worker's output. */
export type OverlayReport =
  | { readonly begin: OverlayStep }
  | { readonly doneNs: number; readonly number?: number }
  | { readonly failed: string; readonly message: string };

/** A sector with a stamp, 0 for zeros. */
export function sectorOf(stamp: number): Buffer {
  const sector = Buffer.alloc(512);
  for (let offset = 0; offset < 512; offset += 4) sector.writeUInt32LE(stamp, offset);
  return sector;
}
