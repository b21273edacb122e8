import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { ImageTarget } from './image-target.ts';

/** A device that an image is written over; flushing and disposing of it is up to the caller. */
export function deviceTarget(device: BlockDevice): ImageTarget {
  const refuseOverflow = (end: number): void => {
    if (end <= device.size) return;
    throw new VarveError('NO_SPACE', `cannot write the image: the device it goes to ends at byte ${device.size}`);
  };
  return {
    seekable: true,
    zeroed: false,
    capacity: device.size,
    write(source, offset) {
      refuseOverflow(offset + source.length);
      return device.write(source, offset);
    },
    zero(offset, length) {
      refuseOverflow(offset + length);
      return device.zero(offset, length);
    },
    finish: () => undefined,
  };
}
