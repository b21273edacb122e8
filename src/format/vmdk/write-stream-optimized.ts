import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import type { WriteImageOptions } from '../image-format.ts';
import type { ImageTarget } from '../image-target.ts';
import { compressedGrains } from './compress-grains.ts';
import { encodeGrain, encodeMarker, markerType } from './marker.ts';
import { encodeSparseHeader } from './sparse-header.ts';
import { sectorSize } from './sparse-layout.ts';
import { entriesPerTable, grainSectors, headerOf, tableEntry, tableLength, type WritePlan } from './write-plan.ts';

/**
 * Writes a disk from its first byte to its last, so that a pipe can take it: header, descriptor, compressed grains with
 * a table after those of each, the directory, the footer that tells where that is, the end of the stream.
 */
export async function writeStreamOptimized(
  source: BlockDevice,
  target: ImageTarget,
  plan: WritePlan,
  options: WriteImageOptions,
): Promise<void> {
  const stream = new StreamWriter(target, plan);
  await stream.begin();
  for await (const { compressed, index } of compressedGrains(source, options)) await stream.addGrain(index, compressed);
  await stream.end();
}

class StreamWriter {
  readonly #target: ImageTarget;
  readonly #plan: WritePlan;
  readonly #directory: Uint32Array;
  readonly #table = new Uint32Array(entriesPerTable);
  /** The index of the table that grains go to; −1 before the first. */
  #tableIndex = -1;
  /** How many bytes are written. */
  #position = 0;

  constructor(target: ImageTarget, plan: WritePlan) {
    this.#target = target;
    this.#plan = plan;
    this.#directory = new Uint32Array(plan.tableCount);
  }

  async begin(): Promise<void> {
    const head = new Uint8Array(grainSectors * sectorSize);
    head.set(encodeSparseHeader(this.#header(undefined)));
    head.set(new TextEncoder().encode(this.#plan.descriptor), sectorSize);
    await this.#append(head);
  }

  async addGrain(index: number, compressed: Uint8Array): Promise<void> {
    const tableIndex = Math.floor(index / entriesPerTable);
    if (tableIndex !== this.#tableIndex) {
      await this.#endTable();
      this.#tableIndex = tableIndex;
    }
    this.#table[index % entriesPerTable] = this.#sector();
    await this.#append(encodeGrain(index * grainSectors, compressed));
  }

  async end(): Promise<void> {
    await this.#endTable();
    const directory = new Uint8Array(alignUp(this.#directory.byteLength, sectorSize));
    directory.set(new Uint8Array(this.#directory.buffer));
    await this.#append(encodeMarker(markerType.grainDirectory, directory.length / sectorSize));
    const directorySector = this.#position / sectorSize;
    await this.#append(directory);
    await this.#append(encodeMarker(markerType.footer, 1));
    await this.#append(encodeSparseHeader(this.#header(directorySector)));
    await this.#append(encodeMarker(markerType.endOfStream, 0));
    await this.#target.finish(this.#position);
  }

  #header(gdOffset: number | undefined) {
    return headerOf(this.#plan, { gdOffset, overHead: grainSectors, rgdOffset: 0 });
  }

  /** (Node's platforms are little-endian, as the format is.) */
  async #endTable(): Promise<void> {
    if (this.#tableIndex === -1) return;
    await this.#append(encodeMarker(markerType.grainTable, tableLength));
    this.#directory[this.#tableIndex] = this.#sector();
    await this.#append(new Uint8Array(this.#table.buffer));
    this.#table.fill(0);
  }

  #sector(): number {
    return tableEntry(this.#position / sectorSize);
  }

  #append(bytes: Uint8Array): MaybePromise<void> {
    const offset = this.#position;
    this.#position += bytes.length;
    return bytes.length === 0 ? undefined : this.#target.write(bytes, offset);
  }
}
