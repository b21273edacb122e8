import type { MaybePromise } from '../../block/block-device.ts';
import type { ImageTarget } from '../image-target.ts';
import { batEntryLength, blockState, payloadEntryIndex, putEntry } from './bat.ts';
import type { VhdxLayout } from './layout.ts';

const pageLength = 65536;
const entriesInPage = pageLength / batEntryLength;

/** Writes a BAT in the order of the disk, a page at a time; what no entry was set in is not written. */
export class BatWriter {
  readonly #target: ImageTarget;
  readonly #layout: VhdxLayout;
  readonly #page = new DataView(new ArrayBuffer(pageLength));
  #pageIndex = -1;

  constructor(target: ImageTarget, layout: VhdxLayout) {
    this.#target = target;
    this.#layout = layout;
  }

  /** Says that a payload block, one after all that were set before, is at byte `offset` of the file. */
  set(block: number, offset: number): MaybePromise<void> {
    const index = payloadEntryIndex(this.#layout.bat, block);
    const pageIndex = Math.floor(index / entriesInPage);
    const pending = pageIndex === this.#pageIndex ? undefined : this.finish();
    if (pending === undefined) return this.#put(pageIndex, index, offset);
    return pending.then(() => this.#put(pageIndex, index, offset));
  }

  /** Writes what is not written yet. */
  finish(): MaybePromise<void> {
    if (this.#pageIndex === -1) return undefined;
    const start = this.#pageIndex * pageLength;
    // The region is whole megabytes, so that a page fits wherever an entry does.
    return this.#target.write(new Uint8Array(this.#page.buffer).slice(), this.#layout.batRegion.offset + start);
  }

  #put(pageIndex: number, index: number, offset: number): void {
    if (pageIndex !== this.#pageIndex) new Uint8Array(this.#page.buffer).fill(0);
    this.#pageIndex = pageIndex;
    putEntry(this.#page, (index % entriesInPage) * batEntryLength, blockState.fullyPresent, offset);
  }
}
