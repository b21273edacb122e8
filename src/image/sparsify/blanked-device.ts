import type { BlockDevice, Extent, MaybePromise } from '../../block/block-device.ts';
import type { IntervalSet } from '../../bytes/interval-set.ts';
import { ForwardingDevice } from '../../filter/forwarding-device.ts';

/** A device as another one, which it is read from, but that the bytes in `blank` are zeros. Not to be written to. */
export function blankedDevice(device: BlockDevice, blank: IntervalSet): BlockDevice {
  return new BlankedDevice(device, blank);
}

class BlankedDevice extends ForwardingDevice {
  readonly #blank: IntervalSet;

  constructor(device: BlockDevice, blank: IntervalSet) {
    super(device, { write: false, trim: false, zero: false, extents: true });
    this.#blank = blank;
  }

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    const reading = this.device.read(target, offset);
    if (reading !== undefined) return reading.then(() => this.#erase(target, offset));
    this.#erase(target, offset);
  }

  override async *extents(offset: number, length: number): AsyncGenerator<Extent, undefined> {
    for await (const extent of this.device.extents(offset, length)) yield* this.#cut(extent);
  }

  #erase(target: Uint8Array, offset: number): void {
    for (const part of this.#blank.intersect(offset, offset + target.length)) {
      target.fill(0, part.offset - offset, part.end - offset);
    }
  }

  *#cut(extent: Extent): Iterable<Extent> {
    const end = extent.offset + extent.length;
    let position = extent.offset;
    for (const part of this.#blank.intersect(position, end)) {
      if (part.offset > position) yield { offset: position, length: part.offset - position, kind: extent.kind };
      yield { offset: part.offset, length: part.end - part.offset, kind: 'zero' };
      position = part.end;
    }
    if (position < end) yield { offset: position, length: end - position, kind: extent.kind };
  }
}
