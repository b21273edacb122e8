import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, FileRange } from '../block/block-device.ts';
import { ForwardingDevice } from './forwarding-device.ts';

/** A device that cannot be written, over one that perhaps can. Writing methods throw VarveError `READ_ONLY`. */
export function readOnlyFilter(device: BlockDevice): BlockDevice {
  return new ReadOnlyDevice(device, { write: false, trim: false, zero: false });
}

class ReadOnlyDevice extends ForwardingDevice {
  override write(): never {
    refuse('write');
  }

  override zero(): never {
    refuse('write');
  }

  override trim(): never {
    refuse('trim');
  }

  override flush(): void {}

  fileRange(offset: number, length: number): FileRange | undefined {
    return this.device.fileRange?.(offset, length);
  }
}

function refuse(verb: string): never {
  throw new VarveError('READ_ONLY', `cannot ${verb} the device: it is read-only`);
}
