/** Cylinders, heads and sectors of a track, as a BIOS would have them. */
export interface DiskGeometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

const maximumIdeCylinders = 16383;
const maximumScsiCylinders = 65535;
/** 1 GiB, in sectors. */
const gibibyte = 2 ** 21;

/**
 * The geometry of a disk of `capacity` sectors behind an adapter.
 *
 * Source: VMware, Virtual Disk Format 5.0, section "The Disk Database".
 */
export function geometryFor(capacity: number, adapterType: string): DiskGeometry {
  if (adapterType === 'ide') return withCylinders(capacity, 16, 63, maximumIdeCylinders);
  if (capacity < gibibyte) return withCylinders(capacity, 64, 32, maximumScsiCylinders);
  if (capacity < 2 * gibibyte) return withCylinders(capacity, 128, 32, maximumScsiCylinders);
  return withCylinders(capacity, 255, 63, maximumScsiCylinders);
}

function withCylinders(capacity: number, heads: number, sectors: number, maximum: number): DiskGeometry {
  return { cylinders: Math.min(maximum, Math.floor(capacity / (heads * sectors))), heads, sectors };
}
