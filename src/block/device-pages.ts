import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from './block-device.ts';

/** What pages are read from, and how many may be kept. */
export interface DevicePagesOptions {
  readonly device: BlockDevice;
  /** How many pages are kept at most, at least 1. */
  readonly capacity: number;
  /** The disk's name in errors. */
  readonly name: string;
}

/** Keeps the parts of a device's tables that were used last, so that tables of any size take little memory. */
export class DevicePages {
  readonly #options: DevicePagesOptions;
  /** By offset in the device, the least recently used first. */
  readonly #pages = new Map<number, MaybePromise<DataView>>();
  #lastOffset = -1;
  #lastPage: MaybePromise<DataView> | undefined;

  constructor(options: DevicePagesOptions) {
    this.#options = options;
  }

  /**
   * The `length` bytes at `offset` of the device; the same length each time for one offset. `what` names them in errors.
   *
   * @throws VarveError `CORRUPT` where they end past the end of the device
   */
  get(offset: number, length: number, what: string): MaybePromise<DataView> {
    // Hot: nearly all requests stay within the page of the last one.
    if (offset === this.#lastOffset && this.#lastPage !== undefined) return this.#lastPage;
    const known = this.#pages.get(offset);
    if (known === undefined) return this.#load(offset, length, what);
    this.#pages.delete(offset);
    return this.#keep(offset, known);
  }

  #load(offset: number, length: number, what: string): MaybePromise<DataView> {
    const { device, name } = this.#options;
    if (offset + length > device.size) {
      const where = `${what} at byte ${offset} lies past the end, which is at byte ${device.size}`;
      throw new VarveError('CORRUPT', `cannot read ${name}: the ${where}`);
    }
    const bytes = new Uint8Array(length);
    const page = new DataView(bytes.buffer);
    const reading = device.read(bytes, offset);
    if (reading === undefined) return this.#keep(offset, page);
    const loading: Promise<DataView> = reading.then(
      () => this.#replace(offset, loading, page),
      (error: unknown) => this.#forget(offset, loading, error),
    );
    return this.#keep(offset, loading);
  }

  #keep(offset: number, page: MaybePromise<DataView>): MaybePromise<DataView> {
    this.#pages.set(offset, page);
    this.#lastOffset = offset;
    this.#lastPage = page;
    if (this.#pages.size > this.#options.capacity) this.#pages.delete(this.#pages.keys().next().value!);
    return page;
  }

  #replace(offset: number, loading: MaybePromise<DataView>, page: DataView): DataView {
    if (this.#pages.get(offset) === loading) this.#pages.set(offset, page);
    if (this.#lastPage === loading) this.#lastPage = page;
    return page;
  }

  #forget(offset: number, loading: MaybePromise<DataView>, error: unknown): never {
    if (this.#pages.get(offset) === loading) this.#pages.delete(offset);
    if (this.#lastPage === loading) this.#lastPage = undefined;
    throw error;
  }
}
