import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../block/block-device.ts';

/**
 * Fills `target` from `offset` of the device, where what lies on a disk says that something is. `what` names it in
 * errors: `web.img: block group 3`.
 *
 * @throws VarveError `CORRUPT` where it lies past the end
 */
export function readInside(device: BlockDevice, target: Uint8Array, offset: number, what: string): MaybePromise<void> {
  if (offset >= 0 && offset + target.length <= device.size) return device.read(target, offset);
  const end = `the disk, which has ${device.size} bytes`;
  throw new VarveError('CORRUPT', `cannot read ${what}: byte ${offset} lies past the end of ${end}`);
}
