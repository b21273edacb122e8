import type { FileDetail } from './inode.ts';
import { MetadataCursor, type MetadataPlace, type MetadataTable } from './metadata-cursor.ts';
import { type SquashfsVolume, type StoredBlock, storedBlock } from './volume.ts';

const blocksPerPart = 2048;
const wordLength = 4;

/** Where a part of the list is, and where the first of its blocks. */
interface PartStart {
  readonly list: MetadataPlace;
  readonly data: number;
}

interface Part {
  readonly index: number;
  readonly blocks: readonly StoredBlock[];
}

/**
 * The blocks of a file. The list says how long each of them is and not where, so it is gone through from its start;
 * where each part of it begins is remembered, and one part is kept.
 */
export class BlockList {
  readonly #volume: SquashfsVolume;
  readonly #table: MetadataTable;
  readonly #starts: PartStart[];
  readonly #count: number;
  #part: Part | undefined;

  /** `count` is how many blocks the file has. */
  constructor(volume: SquashfsVolume, table: MetadataTable, detail: FileDetail, count: number) {
    this.#volume = volume;
    this.#table = table;
    this.#starts = [{ list: detail.blockList, data: detail.start }];
    this.#count = count;
  }

  /** Block `index` of the file. @throws VarveError `CORRUPT` */
  async at(index: number): Promise<StoredBlock> {
    const wanted = Math.floor(index / blocksPerPart);
    let part = this.#part;
    if (part?.index !== wanted) {
      for (let known = this.#starts.length - 1; known < wanted; known++) await this.#load(known);
      part = await this.#load(wanted);
      this.#part = part;
    }
    return part.blocks[index % blocksPerPart]!;
  }

  async #load(index: number): Promise<Part> {
    const { list, data } = this.#starts[index]!;
    const cursor = new MetadataCursor(this.#volume, this.#table, list);
    const count = Math.min(blocksPerPart, this.#count - index * blocksPerPart);
    const words = await cursor.take(count * wordLength);
    let place = data;
    const blocks = Array.from({ length: count }, (_, number) => {
      const block = storedBlock(place, words.getUint32(number * wordLength, true));
      place += block.length;
      return block;
    });
    this.#starts[index + 1] = { list: cursor.place, data: place };
    return { index, blocks };
  }
}
