import type { DiskExtent } from './disk-extent.ts';

/** An extent and where it is on the disk, in bytes. */
export interface PlacedExtent {
  readonly extent: DiskExtent;
  readonly start: number;
}

/** The extents of a disk, one after the other. Disposing of it disposes of them. */
export class ExtentList implements AsyncDisposable {
  /** Of the disk, in bytes. */
  readonly size: number;
  readonly #placed: readonly PlacedExtent[];

  constructor(extents: readonly DiskExtent[]) {
    let size = 0;
    this.#placed = extents.map((extent) => {
      const start = size;
      size += extent.size;
      return { extent, start };
    });
    this.size = size;
  }

  /** The extent that holds byte `offset` of the disk, which is inside. */
  at(offset: number): PlacedExtent {
    const placed = this.#placed;
    let low = 0;
    for (let high = placed.length - 1; low < high; ) {
      const middle = (low + high + 1) >>> 1;
      if (placed[middle]!.start <= offset) low = middle;
      else high = middle - 1;
    }
    return placed[low]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    for (const { extent } of this.#placed) stack.use(extent);
  }
}
