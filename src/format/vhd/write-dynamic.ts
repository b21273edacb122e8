import type { BlockDevice } from '../../block/block-device.ts';
import type { WriteImageOptions } from '../image-format.ts';
import type { ImageTarget } from '../image-target.ts';
import { nonZeroRuns } from '../non-zero-runs.ts';
import { encodeDynamicHeader, plainDynamicHeader } from './dynamic-header.ts';
import { unallocated } from './dynamic-map.ts';
import { encodeFooter, footerLength } from './footer.ts';
import { dynamicHeaderOffset, footerOffset, newFooter, type VhdLayout } from './layout.ts';

/** Writes all that is not zero in the order of the disk, then the table, and the footer at the start last. */
export async function writeDynamic(
  source: BlockDevice,
  target: ImageTarget,
  layout: VhdLayout,
  options: WriteImageOptions,
): Promise<void> {
  const blocks = new BlockWriter(target, layout);
  await nonZeroRuns(source, options, (bytes, offset) => blocks.write(bytes, offset));
  await blocks.finish();
}

class BlockWriter {
  readonly #target: ImageTarget;
  readonly #layout: VhdLayout;
  readonly #table: DataView;
  #end: number;

  constructor(target: ImageTarget, layout: VhdLayout) {
    this.#target = target;
    this.#layout = layout;
    this.#table = emptyTable(layout);
    this.#end = layout.firstBlock;
  }

  /** Writes bytes of the disk to their blocks, which are made where they are not there yet. */
  async write(bytes: Uint8Array, diskOffset: number): Promise<void> {
    const { bitmapLength, blockSize } = this.#layout;
    for (let done = 0; done < bytes.length; ) {
      const block = Math.floor((diskOffset + done) / blockSize);
      const inBlock = (diskOffset + done) % blockSize;
      const length = Math.min(blockSize - inBlock, bytes.length - done);
      const place = this.#placeOf(block) ?? (await this.#allocate(block));
      await this.#target.write(bytes.subarray(done, done + length), place + bitmapLength + inBlock);
      done += length;
    }
  }

  async finish(): Promise<void> {
    const { tableOffset } = this.#layout;
    const target = this.#target;
    const { dynamicHeader, footer } = headersFor(this.#layout);
    const { firstBlock, stride } = this.#layout;
    const end = footerOffset(this.#layout, (this.#end - firstBlock) / stride);
    await target.write(footer, end);
    const table = new Uint8Array(this.#table.buffer);
    await target.write(table, tableOffset);
    const tableEnd = tableOffset + table.length;
    if (!target.zeroed && end > firstBlock) await target.zero(tableEnd, firstBlock - tableEnd);
    await target.write(dynamicHeader, dynamicHeaderOffset);
    await target.write(footer, 0);
    await target.finish(end + footerLength);
  }

  #placeOf(block: number): number | undefined {
    const sector = this.#table.getUint32(block * 4);
    return sector === unallocated ? undefined : sector * 512;
  }

  async #allocate(block: number): Promise<number> {
    const { bitmapLength, stride } = this.#layout;
    const place = this.#end;
    this.#end += stride;
    this.#table.setUint32(block * 4, place / 512);
    if (!this.#target.zeroed) await this.#target.zero(place + bitmapLength, stride - bitmapLength);
    await this.#target.write(new Uint8Array(bitmapLength).fill(0xff), place);
    return place;
  }
}

/** A block allocation table with no block. */
export function emptyTable({ tableLength }: VhdLayout): DataView {
  return new DataView(new Uint8Array(tableLength).fill(0xff).buffer);
}

/** The footer and the dynamic disk header of a new image. */
export function headersFor(layout: VhdLayout): { readonly footer: Uint8Array; readonly dynamicHeader: Uint8Array } {
  const { blockCount, blockSize, tableOffset } = layout;
  const dynamicHeader = encodeDynamicHeader(plainDynamicHeader(tableOffset, Math.max(1, blockCount), blockSize));
  return { footer: encodeFooter(newFooter(layout)), dynamicHeader };
}
