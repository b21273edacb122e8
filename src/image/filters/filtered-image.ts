import type { BlockDevice } from '../../block/block-device.ts';
import { ForwardingDevice } from '../../filter/forwarding-device.ts';
import type { FormatDevice, FormatInformation } from '../../format/image-format.ts';

/** The disk of an image through filters: what it holds is theirs, and what is said of the file is the image's. */
export class FilteredImage extends ForwardingDevice implements FormatDevice {
  readonly format: string;
  readonly #image: FormatDevice;

  constructor(filtered: BlockDevice, image: FormatDevice) {
    super(filtered);
    this.format = image.format;
    this.#image = image;
  }

  information(): FormatInformation {
    const { bitmaps: _bitmaps, snapshots: _snapshots, ...rest } = this.#image.information();
    return { ...rest, virtualSize: this.size };
  }
}
