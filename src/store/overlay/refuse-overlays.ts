import { VarveError } from '../../base/varve-error.ts';
import type { Image } from '../image-table.ts';
import type { Lease } from '../lease.ts';
import type { StoreParts } from '../store-parts.ts';

/**
 * An image whose newest snapshot is to be another one must have no changes that lie on the present one.
 * @throws BUSY while a process writes to it or a snapshot is being stored, CONFLICT for uncommitted changes
 */
export function refuseOverlays(parts: StoreParts, image: Image, advice = ''): void {
  const writer = parts.leases.writerOf(image.id, '');
  if (writer !== undefined) throw busyError(image.name, writer);
  if (parts.overlays.stack(image.id).length === 0) return;
  refusePending(parts, image);
  const ways = [`varve snapshot ${image.name} keeps them`, `varve discard ${image.name} drops them`, advice];
  throw new VarveError(
    'CONFLICT',
    `${image.name} has uncommitted changes: ${ways.filter((way) => way !== '').join(', ')}`,
  );
}

/** @throws BUSY while a living process writes to the image, whoever's overlays that may be */
export function refuseWriters({ leases }: StoreParts, image: Image): void {
  const writer = leases.living('write').find((lease) => lease.image === image.id);
  if (writer !== undefined) throw busyError(image.name, writer);
}

/** @throws BUSY while a snapshot is being stored */
function refusePending({ overlays }: StoreParts, image: Image): void {
  const number = overlays.pending(image.id).at(-1)?.number;
  if (number === undefined) return;
  throw new VarveError('BUSY', `${image.name}@${number} is being stored still; try again in a moment`);
}

/** The error that names who holds an image. */
export function busyError(image: string, { purpose, pid }: Lease): VarveError {
  return new VarveError('BUSY', `${image} is in use: ${purpose} (process ${pid})`);
}
