import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import { readInside } from './read-inside.ts';

/** What each kind of file system has below its files: the device it lies on, and errors that name it. */
export abstract class FileSystemVolume {
  readonly device: BlockDevice;
  readonly #name: string;

  /** `name` is the disk's, for errors. */
  constructor(device: BlockDevice, name: string) {
    this.device = device;
    this.#name = name;
  }

  /** Fills `target` from byte `place` of the device. `what` names it in errors. @throws VarveError `CORRUPT` past the end */
  read(target: Uint8Array, place: number, what: string): MaybePromise<void> {
    return readInside(this.device, target, place, this.named(what));
  }

  corrupt(why: string, options?: ErrorOptions): VarveError {
    return new VarveError('CORRUPT', `cannot read ${this.#name}: ${why}`, options);
  }

  unsupported(why: string, options?: ErrorOptions): VarveError {
    return new VarveError('UNSUPPORTED', `cannot read ${this.#name}: ${why}`, options);
  }

  /** For what a caller asked of the wrong file. */
  invalid(why: string): VarveError {
    return new VarveError('INVALID', this.named(why));
  }

  /** What is said of something on the disk, or is its name there, with the disk's. */
  protected named(what: string): string {
    return `${this.#name}: ${what}`;
  }
}
