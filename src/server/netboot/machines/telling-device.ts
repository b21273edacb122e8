import type { BlockDevice, MaybePromise } from '../../../block/block-device.ts';
import { ForwardingDevice } from '../../../filter/forwarding-device.ts';

/** Tells of the first change to a disk. Disposing disposes of `device`. */
export class TellingDevice extends ForwardingDevice {
  #tell: (() => void) | undefined;

  constructor(device: BlockDevice, tell: () => void) {
    super(device);
    this.#tell = tell;
  }

  /** Hot, as the others: one comparison after the first. */
  override write(source: Uint8Array, offset: number): MaybePromise<void> {
    if (this.#tell !== undefined) this.#telling();
    return this.device.write(source, offset);
  }

  override zero(offset: number, length: number): MaybePromise<void> {
    if (this.#tell !== undefined) this.#telling();
    return this.device.zero(offset, length);
  }

  override trim(offset: number, length: number): MaybePromise<void> {
    if (this.#tell !== undefined) this.#telling();
    return this.device.trim(offset, length);
  }

  #telling(): void {
    const tell = this.#tell;
    this.#tell = undefined;
    tell?.();
  }
}
